package contact

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"parley/internal/fault"
	"parley/internal/phone"
	"parley/internal/store"
)

// Line checks one line of text from outside: trimmed, at most max characters,
// nothing that a database cannot hold.
func Line(field, s string, max int) (string, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", fault.Field(field, "%s holds characters that are not text", field)
	}
	if len(s) > max && utf8.RuneCountInString(s) > max {
		return "", fault.Field(field, "%s must not be longer than %d characters", field, max)
	}
	return s, nil
}

// Fold writes text the way it is searched: lower case, without accents, single
// spaces.
func Fold(s string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsSpace(r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// address checks an e-mail address roughly: whether it exists only its owner
// can tell.
func address(s string) (string, error) {
	s, err := Line("email", s, maxEmail)
	if err != nil || s == "" {
		return "", err
	}
	s = strings.ToLower(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(s) > maxEmail ||
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", fault.Field("email", "an e-mail address has the form name@example.com and at most %d characters", maxEmail)
	}
	return s, nil
}

// Tags checks tags, drops empty and repeated ones, and sorts them. Field is
// what a fault names.
func Tags(field string, tags []string) ([]string, error) {
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		t, err := Line(field, t, maxTag)
		if err != nil {
			return nil, err
		}
		if t != "" {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > maxTags {
		return nil, fault.Field(field, "a contact carries at most %d tags", maxTags)
	}
	return out, nil
}

func checkKey(field, key string) error {
	k, err := Line(field, key, maxKey)
	if err == nil && (k == "" || k != key) {
		err = fault.Field(field, "a key of %s must not be empty or begin or end with a space", field)
	}
	return err
}

func checkRef(key, value string) error {
	if err := checkKey("refs", key); err != nil {
		return err
	}
	_, err := Line("refs."+key, value, maxRef)
	return err
}

// checkOpen checks the merged open attributes as they will be stored, and
// returns them as they will be read.
func checkOpen(field string, m map[string]any) (map[string]any, error) {
	if len(m) == 0 {
		return map[string]any{}, nil
	}
	for k := range m {
		if err := checkKey(field, k); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fault.Field(field, "%s holds a value that JSON cannot carry", field)
	}
	if len(b) > maxJSON {
		return nil, fault.Field(field, "%s must not be larger than %d bytes of JSON", field, maxJSON)
	}
	if !storable(m) {
		return nil, fault.Field(field, "%s holds text with a NUL character; leave it out", field)
	}
	var out map[string]any
	return out, json.Unmarshal(b, &out)
}

// storable reports whether no text inside holds NUL, which PostgreSQL refuses.
func storable(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.ContainsRune(v, 0)
	case []string:
		return !slices.ContainsFunc(v, func(s string) bool { return strings.ContainsRune(s, 0) })
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool { return !storable(x) })
	case map[string]any:
		for k, x := range v {
			if strings.ContainsRune(k, 0) || !storable(x) {
				return false
			}
		}
	case nil, bool, float64, float32, int, int64, json.Number:
	default: // a type of our own code: look at it as JSON
		b, err := json.Marshal(v)
		var plain any
		return err == nil && json.Unmarshal(b, &plain) == nil && storable(plain)
	}
	return true
}

// KeyOf normalises a phone with the region of r's tenant. Faults name "phone".
func (s *Service) KeyOf(r store.Reader, raw string) (string, error) {
	set, err := s.tenants.SettingsOf(r)
	if err != nil {
		return "", err
	}
	return phone.Key(raw, set.Region)
}

// person is a New whose parts were checked.
type person struct {
	New
	phone string // key, "" without one
	email string
}

// identity returns what identifies the person: the phone, else the e-mail, else
// the address at a channel.
func (p *person) identity() (kind, value string) {
	switch {
	case p.phone != "":
		return Phone, p.phone
	case p.email != "" || p.Address == "":
		return Email, p.email
	}
	return p.Kind, p.Address
}

func (p *person) locks() []string {
	keys := lockKeys(p.phone, p.email)
	if p.Address != "" {
		keys = append(keys, p.Kind+":"+p.Address)
	}
	return keys
}

func (s *Service) clean(r store.Reader, n New) (p person, err error) {
	var c fault.Collector
	line := func(field, v string, max int) string {
		v, err := Line(field, v, max)
		c.Add(err)
		return v
	}
	p.New = n
	p.FirstName = line("firstName", n.FirstName, maxName)
	p.LastName = line("lastName", n.LastName, maxName)
	p.Source = line("source", n.Source, maxWord)
	p.AssignedTo = line("assignedTo", n.AssignedTo, maxWord)
	if p.Phone = line("phone", n.Phone, phone.MaxInput); p.Phone != "" {
		p.phone, err = s.KeyOf(r, p.Phone)
		if err != nil && fault.As(err) == nil {
			return p, err
		}
		c.Add(err)
	}
	p.email, err = address(n.Email)
	c.Add(err)
	if p.Address = line("address", n.Address, maxWord); p.Address != "" && n.Kind != Messenger {
		c.Add(fault.Field("address", "there are no identities of the kind %q", n.Kind))
	}
	if strings.TrimSpace(n.Phone) == "" && strings.TrimSpace(n.Email) == "" && p.Address == "" {
		c.Add(fault.Missing("phone"))
	}
	p.Tags, err = Tags("tags", n.Tags)
	c.Add(err)
	p.Refs = map[string]string{}
	for k, v := range n.Refs {
		c.Add(checkRef(k, v))
		p.Refs[k] = v
	}
	c.Add(checkSize("refs", p.Refs))
	p.Extra, err = checkOpen("extra", n.Extra)
	c.Add(err)
	p.Attributes, err = checkOpen("attributes", n.Attributes)
	c.Add(err)
	return p, c.Err()
}

func checkSize(field string, refs map[string]string) error {
	n := 0
	for k, v := range refs {
		n += len(k) + len(v) + 6
	}
	if n > maxJSON {
		return fault.Field(field, "%s must not be larger than %d bytes of JSON", field, maxJSON)
	}
	return nil
}
