package app_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
)

const private = "app-private-key-1"

// The vectors of reference §4.12.
func TestTheSignatureVectors(t *testing.T) {
	for address, want := range map[string]string{
		"https://app.example.com/report?lang=en&range=custom&start=2020-12-01&end=2020-12-31&group=507f191e810c19729de860ee&parentGroup=507f191e810c19729de860ef": "d0ed039af42ffa044c6be3958fa50ebaffd2a8494e73ff483cc8136fd34c8675",
		"https://app.example.com/prospect/507f191e810c19729de860ea": "d6909040ba7a9ff8d2a121866b1787fc92c6759684df75d98cd245ab8892eb7d",
	} {
		if got := app.Signature(address, private); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	parsed := func(s string) id.ID {
		v, err := id.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// The same out of the definitions.
	viewer, home := agent.Agent{ID: id.New()}, agent.Group{ID: parsed("507f191e810c19729de860ef"), Language: "en"}
	got := app.ReportURL(app.Report{URL: "https://app.example.com/report?lang=${group.language}"},
		app.Period{Range: "custom", Start: "2020-12-01", End: "2020-12-31", Group: parsed("507f191e810c19729de860ee")}, viewer, home, private)
	if !strings.HasSuffix(got, "&signature=d0ed039af42ffa044c6be3958fa50ebaffd2a8494e73ff483cc8136fd34c8675") {
		t.Error(got)
	}
	got = app.ButtonURL(app.Button{URL: "https://app.example.com/prospect/${prospect._id}"},
		app.Person{Contact: contact.Contact{ID: parsed("507f191e810c19729de860ea")}}, viewer, home, private)
	if got != "https://app.example.com/prospect/507f191e810c19729de860ea?signature=d6909040ba7a9ff8d2a121866b1787fc92c6759684df75d98cd245ab8892eb7d" {
		t.Error(got)
	}
}

// Whatever a URL holds, an app that cuts the signature off as the documentation
// says gets back what was signed, and a change of anything else is found out.
func TestASignatureVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[a-zA-Z0-9/._~%-]{0,12}`)
		address := "https://app.example.com/" + part.Draw(t, "path")
		if rapid.Bool().Draw(t, "query") {
			address += "?" + rapid.StringMatching(`([a-z]{1,5}=[a-z0-9]{0,5}&?){0,4}`).Draw(t, "parameters")
		}
		fragment := ""
		if rapid.Bool().Draw(t, "fragment") {
			fragment = "#" + rapid.StringMatching(`[a-z/?=&]{0,10}`).Draw(t, "anchor")
		}
		key := rapid.StringMatching(`[ -~]{1,40}`).Draw(t, "key")
		signed := app.Sign(address+fragment, key)
		if !app.Verify(signed, key) {
			t.Fatalf("%s does not verify", signed)
		}
		// What reaches the server: no fragment.
		u, err := url.Parse(signed)
		if err != nil {
			t.Skip("not a URL")
		}
		if fragment != "" && !strings.HasSuffix(signed, fragment) {
			t.Fatalf("%s lost %s", signed, fragment)
		}
		arrived, _, _ := strings.Cut(signed, "#")
		at := strings.LastIndex(arrived, "signature=")
		if sum := arrived[at+len("signature="):]; app.Signature(arrived[:at-1], key) != sum || u.Query().Get("signature") != sum {
			t.Fatalf("cut by hand: %s", arrived)
		}
		if app.Verify(strings.Replace(signed, "https", "http", 1), key) || app.Verify(signed, key+"x") || app.Verify(address, key) && !strings.Contains(address, "signature=") {
			t.Fatal("a forged URL verifies")
		}
	})
}

func TestPlaceholders(t *testing.T) {
	viewer := agent.Agent{ID: id.New(), FirstName: "Jörg & Söhne", LastName: "#1?/", Email: "j@x.example", Phone: "+1 541", CellPhone: "5"}
	home := agent.Group{ID: id.New(), Name: "Sales", Language: "pt-BR"}
	who := app.Person{Source: "WhatsApp", ProviderLeadID: "ABC-123", Contact: contact.Contact{ID: id.New(), FirstName: "Ana", Identities: []contact.Identity{
		{Kind: contact.Phone, Value: "15417543010"}, {Kind: contact.Email, Value: "a@b.example"}, {Kind: contact.Phone, Value: "5491155551234"}}}}
	open := func(address string) string {
		got := app.ButtonURL(app.Button{URL: address}, who, viewer, home, private)
		if !app.Verify(got, private) {
			t.Errorf("%s does not verify", got)
		}
		rest, _, _ := strings.Cut(got, "signature=")
		return rest
	}
	for address, want := range map[string]string{
		"https://a.example/${user.firstName}/${user.lastName}":                         "https://a.example/J%C3%B6rg%20%26%20S%C3%B6hne/%231%3F%2F?",
		"https://a.example/?n=${prospect.phones}&e=${prospect.emails}":                 "https://a.example/?n=%2B15417543010%2C%2B5491155551234&e=a%40b.example&",
		"https://a.example/?x=${prospect.lastName}&y=${nonsense}&z=${}":                "https://a.example/?x=&y=&z=&",
		"https://a.example/${group.language}/${group.displayName}/${user.cellPhone}":   "https://a.example/pt-BR/Sales/5?",
		"https://a.example/${prospect.source}/${prospect.providerLeadId}/${group._id}": "https://a.example/WhatsApp/ABC-123/" + home.ID.String() + "?",
		"https://a.example/x?":                           "https://a.example/x?",
		"https://a.example/${user._id}":                  "https://a.example/" + viewer.ID.String() + "?",
		"https://a.example/${user.phone}/$${user.email}": "https://a.example/%2B1%20541/$j%40x.example?",
	} {
		if got := open(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	report := app.ReportURL(app.Report{URL: "https://a.example/r#top"}, app.Period{Range: "last7", Group: home.ID}, viewer, home, private)
	if !strings.HasPrefix(report, "https://a.example/r?range=last7&group="+home.ID.String()+"&parentGroup="+home.ID.String()+"&signature=") || !strings.HasSuffix(report, "#top") {
		t.Error(report)
	}
}

const dot = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func TestBadDefinitionsNameTheirField(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		name := app.Localized{"en": "X", "es": "Equis"}
		button := func(address, icon string) []app.Button {
			return []app.Button{{Key: "b", Name: name, URL: address, Icon: icon}}
		}
		for _, c := range []struct {
			field string
			p     func(n *app.NewApp)
		}{
			{"developer", func(n *app.NewApp) { n.Developer = "a_b" }},
			{"key", func(n *app.NewApp) { n.Key = "" }},
			{"name.en", func(n *app.NewApp) { n.Name = app.Localized{"es": "x"} }},
			{"name", func(n *app.NewApp) { n.Name = app.Localized{"en": "x", "no language": "x"} }},
			{"name", func(n *app.NewApp) { n.Name = app.Localized{"en": "x", "pt-BR": "x", "pt-br": "y"} }},
			{"baseUrl", func(n *app.NewApp) { n.BaseURL = "ftp://x" }},
			{"baseUrl", func(n *app.NewApp) { n.BaseURL = "https://x.example/?a=b" }},
			{"clientId", func(n *app.NewApp) { n.ClientID = "a b" }},
			{"clientSecret", func(n *app.NewApp) { n.ClientSecret = "a\nb" }},
			{"scopes", func(n *app.NewApp) { n.Scopes = nil }},
			{"reports[0].url", func(n *app.NewApp) { n.Reports = []app.Report{{Key: "r", Name: name, URL: "https://${user.email}/x"}} }},
			{"reports[0].url", func(n *app.NewApp) { n.Reports = []app.Report{{Key: "r", Name: name, URL: "javascript:alert(1)"}} }},
			{"reports[0].url", func(n *app.NewApp) {
				n.Reports = []app.Report{{Key: "r", Name: name, URL: "https://x.example/?signature=1"}}
			}},
			{"reports[1].key", func(n *app.NewApp) {
				n.Reports = []app.Report{{Key: "r", Name: name, URL: "https://x.example"}, {Key: "r", Name: name, URL: "https://x.example"}}
			}},
			{"buttons[0].icon", func(n *app.NewApp) { n.Buttons = button("https://x.example", "https://x.example/i.png") }},
			{"buttons[0].icon", func(n *app.NewApp) { n.Buttons = button("https://x.example", "data:image/svg+xml;base64,PHN2Zz4=") }},
			{"buttons[0].icon", func(n *app.NewApp) { n.Buttons = button("https://x.example", "data:image/png;base64,aGVsbG8=") }},
			{"buttons[0].url", func(n *app.NewApp) { n.Buttons = button("/relative", dot) }},
			{"prospectFields[0].type", func(n *app.NewApp) { n.ProspectFields = []app.Field{{Key: "a", Name: name, Type: "blob"}} }},
			{"prospectFields[0].options", func(n *app.NewApp) { n.ProspectFields = []app.Field{{Key: "a", Name: name, Type: "select"}} }},
			{"userFields[0].key", func(n *app.NewApp) { n.UserFields = []app.Field{{Key: "a b", Name: name}} }},
		} {
			n := app.NewApp{App: app.App{Developer: "acme", Key: "other", Name: name, BaseURL: "https://x.example", Scopes: []string{"sales:leads:write"}}}
			c.p(&n)
			_, _, err := w.s.Register(bg, w.tenant, actor, n)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != c.field {
				t.Errorf("%s: %v", c.field, err)
			}
		}
		a, own, err := w.s.Register(bg, w.tenant, actor, app.NewApp{App: app.App{Developer: "acme", Key: "other", Name: name, BaseURL: "https://x.example/",
			Scopes: []string{"sales:leads:write"}, Buttons: button("https://x.example/${prospect._id}", dot)}})
		if err != nil || len(own.ClientSecret) != 64 || len(own.PrivateKey) != 64 || own.ClientSecret == own.PrivateKey || a.ClientID == "" || a.BaseURL != "https://x.example" {
			t.Errorf("%+v %+v, %v", a, own, err)
		}
		if _, _, err := w.s.Register(bg, w.tenant, actor, app.NewApp{App: a}); fault.As(err) == nil || fault.As(err).Code != fault.Conflict {
			t.Errorf("the same again: %v", err)
		}
		if _, err := w.s.App(w.s.Reads(bg, id.New()), a.ID); fault.As(err) == nil || fault.As(err).Code != fault.NotFound {
			t.Errorf("another tenant: %v", err)
		}
		if _, err := w.s.Delete(bg, w.tenant, actor, a.ID); err != nil {
			t.Error(err)
		}
		if _, err := w.s.App(w.s.Reads(bg, w.tenant), a.ID); fault.As(err) == nil {
			t.Error("a deleted app is there")
		}
	})
}

func TestLocalized(t *testing.T) {
	l := app.Localized{"en": "Color", "pt": "Cor", "pt-BR": "Cor (BR)", "es": "Color"}
	for locale, want := range map[string]string{"pt-BR": "Cor (BR)", "pt_br": "Cor (BR)", "pt-PT": "Cor", "PT": "Cor", "de": "Color", "": "Color", "de-AT": "Color"} {
		if got := l.In(locale); got != want {
			t.Errorf("%q: %q", locale, got)
		}
	}
}
