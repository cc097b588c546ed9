package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/internal/id"
	"parley/internal/store"
)

var (
	codeForm = regexp.MustCompile(`^ERIX_CLNT_[A-Z2-9]{6}$`)
	keyForm  = regexp.MustCompile(`^erix_[0-9a-f]{64}$`)
	idForm   = regexp.MustCompile(`^[0-9a-f]{24}$`)
)

type tenantMade struct{ TenantID, ClientCode, APIKey string }

type keyMade struct {
	ID, Face, Group, User, APIKey string
	Scopes                        []string
}

// TestTenantsAndKeys makes tenants and keys beside a running server, before one
// ever ran, and between two runs; all of them open the API.
func TestTenantsAndKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		var made []tenantMade
		create := func(name string) {
			t.Helper()
			m := parleyJSON[tenantMade](t, with([]string{"tenant", "create", "--name", name}, data)...)
			if !codeForm.MatchString(m.ClientCode) || !keyForm.MatchString(m.APIKey) || !idForm.MatchString(m.TenantID) {
				t.Fatalf("made %+v", m)
			}
			made = append(made, m)
		}
		create("Before")
		p := serve(t, data)
		create("Beside")
		for _, m := range made {
			a := &api{t: t, url: p.url, code: m.ClientCode, key: m.APIKey}
			a.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": "9123456780"})
		}

		a := &api{t: t, url: p.url, code: made[0].ClientCode}
		boss := parleyJSON[keyMade](t, with(words("key create --face sales --scopes admin --tenant "+a.code), data)...)
		a.key = boss.APIKey
		group := a.ok("POST", "/api/v1/admin/groups", map[string]any{"name": "Shop"}).text("id")
		user := a.ok("POST", "/api/v1/admin/agents", map[string]any{"firstName": "Ann", "lastName": "Arbor", "group": group}).text("id")
		for _, face := range []string{"platform", "sales", "targeting", "bot"} {
			k := parleyJSON[keyMade](t, with(words("key create --tenant "+a.code+" --face "+face), data)...)
			scope, other := "one:read", "two:write"
			switch face {
			case "sales":
				scope, other = "leads:write", "prospects:read"
			case "targeting":
				scope, other = "read", "write"
			}
			if k.Face != face || k.APIKey == "" || !slices.Equal(k.Scopes, []string{face + ":*"}) {
				t.Errorf("made %+v", k)
			}
			k = parleyJSON[keyMade](t, with(words("key create --tenant "+a.code+" --face "+face+" --scopes "+scope+","+face+":"+other+" --group "+group+" --user "+user), data)...)
			if !slices.Equal(k.Scopes, []string{face + ":" + scope, face + ":" + other}) || k.Group != group || k.User != user {
				t.Errorf("made %+v", k)
			}
			a.key = k.APIKey
			if want := map[bool]int{true: 403, false: 401}[face == "platform"]; a.call("GET", "/api/saas/crm/leads", nil).status != want {
				t.Errorf("a %s key without the scope is not answered %d", face, want)
			}
		}
		narrow := parleyJSON[keyMade](t, with(words("key create --face platform --scopes crm:read --tenant "+a.code), data)...)
		a.key = narrow.APIKey
		a.get("/api/saas/crm/leads")
		if got := a.call("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": "9123456781"}); got.status != 403 {
			t.Errorf("a reading key may write: %d %s", got.status, got.body)
		}
		if out := parley(t, with(words("key revoke "+narrow.ID+" --tenant "+a.code), data)...); !strings.Contains(out, narrow.ID) {
			t.Errorf("revoking printed %q", out)
		}
		eventually(t, "the revoked key is refused", func() bool { return a.call("GET", "/api/saas/crm/leads", nil).status == 401 })
		if list := parley(t, with(words("key list --tenant "+a.code), data)...); strings.Count(list, "\n") != 11 || strings.Contains(list, narrow.APIKey) || strings.Count(list, "revoked") != 1 {
			t.Errorf("the keys are\n%s", list)
		}
		if n := len(parleyJSON[[]keyMade](t, with(words("key list --tenant "+a.code), data)...)); n != 11 {
			t.Errorf("%d keys", n)
		}

		if code := p.stop(); code != 0 {
			t.Fatalf("the server ended with %d", code)
		}
		create("Between")
		if out := parley(t, with(words("tenant list"), data)...); strings.Count(out, "\n") != 3 {
			t.Errorf("the tenants are\n%s", out)
		}
		p = serve(t, data)
		last := &api{t: t, url: p.url, code: made[2].ClientCode, key: made[2].APIKey}
		last.get("/api/saas/crm/leads")
		p.verify()
	})
}

// TestSettings gives the server its settings in each of the three ways.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings.json")
	settings := func(v any) {
		b, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	healthy := func(p *process, env string) {
		t.Helper()
		p.ready()
		if h := get(t, p.url+"/api/saas/health"); h.text("env") != env {
			t.Errorf("health tells %s, want the environment %s", h.body, env)
		}
		if get(t, p.url+"/_sim/inbox?to=919876543210").status != 200 {
			t.Errorf("--simulate was not heard")
		}
		if !strings.Contains(p.stderr.String(), `"roles":["api","realtime"]`) || !strings.Contains(p.stderr.String(), `"msg":"ready"`) {
			t.Errorf("--roles or --log-format was not heard: %s", p.stderr.String())
		}
		if c := p.stop(); c != 0 {
			t.Errorf("ended with %d", c)
		}
	}
	readyLineJSON := readyLine
	readyLine = regexp.MustCompile(`"msg":"ready","url":"([^"]+)"`)
	defer func() { readyLine = readyLineJSON }()

	healthy(launch(t, []string{"--data", t.TempDir()}, nil, words("--listen 127.0.0.1:0 --simulate --roles api,realtime --log-format json --env flags")...), "flags")
	env := []string{"PARLEY_LISTEN=127.0.0.1:0", "PARLEY_SIMULATE=true", "PARLEY_ROLES=api,realtime", "PARLEY_LOG_FORMAT=json", "PARLEY_ENV=environment", "PARLEY_DATA=" + t.TempDir()}
	healthy(launch(t, nil, env), "environment")
	settings(map[string]any{"listen": "127.0.0.1:0", "simulate": true, "roles": []string{"api", "realtime"}, "log-format": "json", "env": "file", "data": t.TempDir(),
		"trigger-rate": 0, "grace": "3s", "max_body": 20000, "demo": false, "public-url": nil})
	healthy(launch(t, nil, nil, "--config", file), "file")
	healthy(launch(t, nil, []string{"PARLEY_CONFIG=" + file}), "file")
	healthy(launch(t, nil, []string{"PARLEY_CONFIG=" + file, "PARLEY_ENV=environment"}), "environment")
	healthy(launch(t, nil, []string{"PARLEY_ENV=environment"}, "--config="+file, "--env", "flag"), "flag")

	for what, v := range map[string]any{"lisen": map[string]any{"lisen": "x"}, "must hold a JSON object": []int{1}, "list of texts": map[string]any{"roles": []any{1}}, "workers": map[string]any{"workers": "many"}} {
		settings(v)
		oneClearSentence(t, command(t, nil, "serve", "--config", file), what)
	}
	oneClearSentence(t, command(t, nil, "serve", "--config", file+".none"), "no such file")
	// Every setting has a flag in the help, and each flag of serve its variable.
	help := parley(t, "serve", "--help")
	for _, block := range regexp.MustCompile(`(?m)^      --`).Split(help, -1)[1:] {
		if !strings.Contains(block, "$PARLEY_") {
			t.Errorf("a flag of serve names no variable: --%s", block)
		}
	}
}

// TestPhones uses the simulated phones by command and by HTTP.
func TestPhones(t *testing.T) {
	data := []string{"--data", t.TempDir()}
	p := serve(t, data, "--simulate", "--demo")
	w := p.welcomed()
	me := &api{t: t, url: p.url, code: w.code, key: w.key}
	type received struct {
		ID, From, To, Type, Text, Template string
	}
	if l := parleyJSON[[]received](t, with(words("simulate inbox --to +919876543210"), data)...); len(l) != 0 {
		t.Fatalf("the phone holds %v", l)
	}
	if out := p.parley("simulate", "inbox", "--to", "+919876543210"); strings.Count(out, "\n") != 1 {
		t.Fatalf("an empty inbox prints %q", out)
	}
	me.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": "trial_started", "phone": "+919876543210", "createLeadIfMissing": true, "leadData": map[string]any{"firstName": "Zoë"}, "variables": map[string]any{"product": "X"}})
	var l []received
	eventually(t, "the template arrives", func() bool {
		l = parleyJSON[[]received](t, with(words("simulate inbox --to 919876543210"), data)...)
		return len(l) == 1
	})
	if l[0].Type != "template" || l[0].Template != "welcome" || !strings.Contains(l[0].Text, "Zoë") || l[0].To != "919876543210" {
		t.Fatalf("received %+v", l[0])
	}
	var over struct{ Messages []received }
	if err := json.Unmarshal([]byte(get(t, p.url+"/_sim/inbox?to=919876543210").body), &over); err != nil || len(over.Messages) != 1 || over.Messages[0] != l[0] {
		t.Fatalf("over HTTP the phone received %+v, %v", over, err)
	}
	replied := parleyJSON[map[string]any](t, with([]string{"simulate", "reply", "--from", "+919876543210", "--text", "first"}, data)...)
	if replied["accepted"] != true || replied["status"] != 200.0 {
		t.Fatalf("replying: %v", replied)
	}
	if r := me.call("POST", "/_sim/reply", map[string]any{"from": "+919876543210", "text": "second"}); r.status != 200 || r.at("accepted") != true {
		t.Fatalf("replying over HTTP: %d %s", r.status, r.body)
	}
	conversation := me.get("/api/saas/chat/conversations").text("data", 0, "id")
	eventually(t, "both replies are in the inbox", func() bool {
		b := me.get("/api/saas/chat/conversations/" + conversation + "/messages").body
		return strings.Contains(b, `"text":"first"`) && strings.Contains(b, `"text":"second"`)
	})
	oneClearSentence(t, command(t, nil, with(words("simulate reply --from 12 --text x"), data)...), "from must be a phone number")
	oneClearSentence(t, command(t, nil, with(words("simulate inbox --to x"), data)...), "to must be a phone number")
	plain := []string{"--data", t.TempDir()}
	serve(t, plain)
	oneClearSentence(t, command(t, nil, with(words("simulate inbox --to 919876543210"), plain)...), "--simulate")
}

// corrupt changes rows behind the server's back.
func corrupt(t *testing.T, data []string, tenant, statement string) {
	t.Helper()
	o := store.Options{Path: filepath.Join(data[1], "parley.db")}
	if len(data) > 2 {
		o = store.Options{URL: data[3]}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	owner, err := id.Parse(tenant)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, owner, func(tx *store.Tx) error {
		n, err := tx.Exec(statement)
		if err == nil && n != 1 {
			t.Errorf("%s changed %d rows", statement, n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyNamesWhatIsBroken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		p := serve(t, data)
		a := p.tenant("A")
		a.ok("POST", "/api/saas/crm/leads", map[string]any{"firstName": "A", "phone": "9123456780"})
		p.verify()
		p.stop()
		corrupt(t, data, a.id, "UPDATE identity SET is_primary=FALSE WHERE tenant_id=?")
		broken := func() {
			t.Helper()
			r := command(t, nil, with([]string{"verify"}, data)...)
			if !strings.Contains(r.stdout, "identity-primary") || r.code == 0 || strings.TrimSpace(r.stderr) != "parley: broken: identity-primary" {
				t.Fatalf("verify: %+v", r)
			}
			r = command(t, nil, with([]string{"verify", "--json"}, data)...)
			var rep struct {
				OK     bool
				Broken []string
				Breaks []struct{ Invariant, Tenant, Row, Detail string }
			}
			if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil || r.code == 0 || rep.OK || !slices.Equal(rep.Broken, []string{"identity-primary"}) ||
				len(rep.Breaks) != 1 || rep.Breaks[0].Tenant != a.id {
				t.Fatalf("verify --json: %+v, %v", r, err)
			}
			d := command(t, nil, with([]string{"doctor"}, data)...)
			if d.code == 0 || !strings.Contains(d.stdout, "identity-primary") {
				t.Fatalf("doctor: %+v", d)
			}
		}
		broken() // of the database itself
		serve(t, data)
		broken() // of the running server
	})
}

func TestBackupAndRestore(t *testing.T) {
	data := []string{"--data", t.TempDir()}
	p := serve(t, data, "--simulate", "--demo", "--rate", "0", "--trigger-rate", "0")
	w := p.welcomed()
	me := &api{t: t, url: p.url, code: w.code, key: w.key}
	total := func() any { return me.get("/api/saas/crm/leads?limit=1").at("pagination", "total") }
	create := func(phone string) {
		t.Helper()
		me.ok("POST", "/api/saas/workflows/trigger", map[string]any{"trigger": "trial_started", "phone": phone, "createLeadIfMissing": true})
	}
	create("9123456780")
	// The load that the backup is taken under is whole in it or not at all.
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				a, err := send(me.request("POST", "/api/saas/crm/leads", map[string]any{"firstName": "L", "phone": fmt.Sprint(9200000000 + i)}))
				if err != nil || a.status != 201 {
					t.Errorf("under the backup: %v, %d %s", err, a.status, a.body)
					return
				}
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "backup.db")
	p.parley("backup", file)
	close(stop)
	<-done
	if s, err := os.Stat(file); err != nil || s.Mode().Perm() != 0o600 {
		t.Fatalf("the backup: %v, %v", s, err)
	}
	oneClearSentence(t, command(t, nil, with([]string{"backup", file}, data)...), "exists already")

	create("9123456799")
	later := total()
	url := p.url
	p.parley("restore", file) // the server goes on, on the same address
	if r := get(t, url+"/readyz"); r.status != 200 {
		t.Fatalf("/readyz answers %d after the restore", r.status)
	}
	if got := me.call("GET", "/api/saas/crm/leads/phone/9123456799", nil); got.status != 404 {
		t.Fatalf("what came after the backup is there: %d %s", got.status, got.body)
	}
	me.get("/api/saas/crm/leads/phone/9123456780")
	if n := total(); n == later {
		t.Fatalf("still %v leads", n)
	}
	p.verify()
	create("9123456788") // it works on
	p.parley("simulate", "inbox", "--to", "9123456788")

	garbage := filepath.Join(t.TempDir(), "garbage")
	for what, content := range map[string]string{"empty": "", "text": strings.Repeat("not a database ", 1000), "torn": ""} {
		b := []byte(content)
		if what == "torn" {
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = whole[:len(whole)/2]
		}
		if err := os.WriteFile(garbage, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := command(t, nil, with([]string{"restore", garbage}, data)...)
		oneClearSentence(t, r, garbage)
		me.get("/api/saas/crm/leads/phone/9123456788") // nothing was lost
	}
	p.verify()
	if code := p.stop(); code != 0 {
		t.Fatalf("ended with %d", code)
	}
	// The same by hand, without a server, into a new folder with the same key.
	fresh := []string{"--data", t.TempDir()}
	key, err := os.ReadFile(filepath.Join(data[1], "secret.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(fresh[1], "secret.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	parley(t, with([]string{"restore", file}, fresh)...)
	parley(t, with([]string{"verify"}, fresh)...)
	p = serve(t, fresh)
	(&api{t: t, url: p.url, code: w.code, key: w.key}).get("/api/saas/crm/leads/phone/9123456780")
	second := filepath.Join(t.TempDir(), "second.db")
	p.stop()
	parley(t, with([]string{"backup", second}, fresh)...) // also without a server
	oneClearSentence(t, command(t, nil, "backup", second+"2", "--data", t.TempDir(), "--database", "postgres://nobody@127.0.0.1:1/x"), "cannot reach PostgreSQL")
}

func TestMigrateDoctorVersion(t *testing.T) {
	eachDatabase(t, func(t *testing.T, data []string) {
		if out := parley(t, with([]string{"migrate"}, data)...); !strings.Contains(out, "schema is current") || strings.Contains(out, "(0 steps") {
			t.Errorf("migrating a new database printed %q", out)
		}
		again := func() {
			t.Helper()
			if out := parley(t, with([]string{"migrate"}, data)...); !strings.Contains(out, "(0 steps") {
				t.Errorf("migrating again printed %q", out)
			}
			if out := parley(t, with([]string{"doctor"}, data)...); !strings.Contains(out, "all is well") {
				t.Errorf("doctor printed %q", out)
			}
			if s := parleyJSON[map[string]any](t, with([]string{"doctor"}, data)...); s["schema"] != s["schemaWant"] || s["schema"] == 0.0 {
				t.Errorf("doctor tells %v", s)
			}
		}
		again()
		serve(t, data)
		again()
	})
	if out := parley(t, "version"); !regexp.MustCompile(`^parley \S+\n$`).MatchString(out) {
		t.Errorf("version printed %q", out)
	}
}

// taken returns an address that something else listens on until the test ends.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
