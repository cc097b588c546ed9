package agent

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/phone"
	"parley/internal/store"
)

// Bounds of texts, in characters, and of open maps, in bytes of JSON.
const (
	maxName    = 200
	maxMessage = 4096
	maxEmail   = 254
	maxOpen    = 16 << 10
)

const maxPause = 366 * 24 * time.Hour

var (
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)
	groupTypes   = []string{TypeStore, TypeLeadProvider, TypeGroup, TypeOEM}
	roles        = []string{RoleOwner, RoleAdmin, RoleAgent}
	methods      = []string{Manual, Radar, RoundRobin}
)

// check cleans what a group says of itself, but for its place in the tree.
func (g *Group) check() error {
	var c fault.Collector
	line := func(field string, v *string, max int) {
		got, err := contact.Line(field, *v, max)
		c.Add(err)
		*v = got
	}
	line("name", &g.Name, maxName)
	if g.Name == "" {
		c.Add(fault.Missing("name"))
	}
	line("displayName", &g.DisplayName, maxName)
	line("absenceMessage", &g.AbsenceMessage, maxMessage)
	g.CountryCode, g.Language = strings.ToUpper(strings.TrimSpace(g.CountryCode)), strings.TrimSpace(g.Language)
	if g.CountryCode != "" && !countryForm.MatchString(g.CountryCode) {
		c.Add(fault.Field("countryCode", "a country code has two letters, such as BR"))
	}
	if g.Language != "" && (len(g.Language) > 35 || !languageForm.MatchString(g.Language)) {
		c.Add(fault.Field("language", "a language is a code such as pt or pt-BR"))
	}
	var err error
	g.Timezone, err = zone(g.Timezone)
	c.Add(err)
	hours, err := g.Hours.checked()
	c.Add(err)
	g.Hours = hours
	types := slices.Clone(g.Types)
	slices.Sort(types)
	if g.Types = slices.Compact(types); len(g.Types) == 0 {
		g.Types = []string{TypeGroup}
	}
	for _, t := range g.Types {
		if !slices.Contains(groupTypes, t) {
			c.Add(fault.Field("type", "the types of a group are %s", strings.Join(groupTypes, ", ")))
			break
		}
	}
	if g.Method == "" {
		g.Method = Manual
	}
	if !slices.Contains(methods, g.Method) {
		c.Add(fault.Field("assignment.method", "the method of assignment is manual, radar or roundRobin"))
	}
	if g.Timeout == 0 {
		g.Timeout = DefaultTimeout
	}
	if g.Timeout < time.Second || g.Timeout > 24*time.Hour {
		c.Add(fault.Field("assignment.timeoutSeconds", "an offer stands 1 second to 24 hours"))
	}
	for field, d := range map[string]time.Duration{"reassignAfter": g.ReassignAfter, "closeInactiveAfter": g.CloseInactiveAfter} {
		if d < 0 || d > maxPause || d > 0 && d < time.Minute {
			c.Add(fault.Field(field, "%s is a minute to a year, or 0 for never", field))
		}
	}
	return c.Err()
}

// check cleans what an agent says of itself, but for its group, and returns the
// keys of its phones.
func (a *Agent) check(r store.Reader, s *Service) (phoneKey, cellKey string, err error) {
	var c fault.Collector
	line := func(field string, v *string, max int) {
		got, err := contact.Line(field, *v, max)
		c.Add(err)
		*v = got
	}
	line("firstName", &a.FirstName, maxName)
	line("lastName", &a.LastName, maxName)
	if a.FirstName == "" && a.LastName == "" {
		c.Add(fault.Missing("firstName"))
	}
	line("email", &a.Email, maxEmail)
	a.Email = strings.ToLower(a.Email)
	if local, domain, ok := strings.Cut(a.Email, "@"); a.Email != "" && (!ok || local == "" || domain == "" || strings.Contains(domain, "@") ||
		strings.ContainsFunc(a.Email, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })) {
		c.Add(fault.Field("email", "an e-mail address has the form name@example.com"))
	}
	line("legacyId", &a.LegacyID, maxName)
	if a.Role == "" {
		a.Role = RoleAgent
	}
	if !slices.Contains(roles, a.Role) {
		c.Add(fault.Field("role", "the role of an agent is owner, admin or agent"))
	}
	var bad error
	a.Timezone, bad = zone(a.Timezone)
	c.Add(bad)
	hours, bad := a.Hours.checked()
	c.Add(bad)
	a.Hours = hours
	set, err := s.tenants.SettingsOf(r)
	if err != nil {
		return "", "", err
	}
	key := func(field string, v *string) string {
		line(field, v, phone.MaxInput)
		if *v == "" {
			return ""
		}
		k, err := phone.Key(*v, set.Region)
		if err != nil {
			c.Add(fault.Field(field, "%s must hold a phone number such as +5511987654321", field))
		}
		return k
	}
	phoneKey, cellKey = key("phone", &a.Phone), key("cellPhone", &a.CellPhone)
	a.ExternalID, bad = open("externalId", a.ExternalID)
	c.Add(bad)
	a.AppFields, bad = open("appFields", a.AppFields)
	c.Add(bad)
	return phoneKey, cellKey, c.Err()
}

// open checks an open map and returns it as it will be read.
func open(field string, m map[string]any) (map[string]any, error) {
	b, err := json.Marshal(m)
	if err != nil || len(b) > maxOpen || strings.Contains(string(b), `\u0000`) {
		return map[string]any{}, fault.Field(field, "%s must be plain JSON of at most %d bytes", field, maxOpen)
	}
	out := map[string]any{}
	if m != nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// patched returns old with the keys of patch; nil deletes.
func patched(old, patch map[string]any) map[string]any {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// prefixed writes a prefix before each of some columns.
func prefixed(prefix, columns string) string {
	return prefix + strings.ReplaceAll(columns, ", ", ", "+prefix)
}
