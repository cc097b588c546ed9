package conversation

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// use is a template with its values: what is shown and what is handed over.
type use struct {
	text     string
	data     TemplateData
	send     channel.TemplateSend
	category string
}

// resolve finds the template and fills it. Faults: Invalid of templateName,
// variables or mediaUrl; Unready when the template is not approved, or when its
// mapping finds no value for a position (detail "issues").
func (t *Templates) resolve(r store.Reader, kind string, contactID id.ID, u TemplateUse, headerKind string, header *channel.Media) (use, error) {
	tpl, err := t.pick(r, kind, u.Name, u.Language)
	if err != nil {
		return use{}, err
	}
	if !strings.EqualFold(tpl.Status, "APPROVED") || !tpl.Active {
		return use{}, fault.New(fault.Unready, "the template %s (%s) is %s at the provider; only approved templates can be sent",
			tpl.Name, tpl.Language, strings.ToLower(tpl.Status)).Because("template")
	}
	values, err := t.values(r, tpl, contactID, u)
	if err != nil {
		return use{}, err
	}
	out := use{data: TemplateData{Name: tpl.Name, Language: tpl.Language, HeaderType: tpl.HeaderType, Footer: tpl.FooterText,
		Buttons: tpl.Buttons, Variables: values}, send: channel.TemplateSend{Name: tpl.Name, Language: tpl.Language}, category: tpl.Category}
	body := map[string]string{}
	for i, p := range tpl.Positions {
		v := values[i]
		switch p.Component {
		case inHeader:
			out.send.Header = append(out.send.Header, v)
		case inBody:
			out.send.Body = append(out.send.Body, v)
			body[p.Name] = v
		case inButton:
			out.send.Buttons = append(out.send.Buttons, channel.ButtonValue{Index: p.Index, Value: v})
		}
	}
	out.text = fill(tpl.BodyText, body)
	return out, out.withFile(tpl, headerKind, header)
}

// withFile adds the file of a template whose header is one.
func (u *use) withFile(tpl Template, kind string, media *channel.Media) error {
	switch want := strings.ToLower(tpl.HeaderType); want {
	case channel.Image, channel.Video, channel.Document:
		if media == nil || media.URL == "" && media.ID == "" && media.Own.IsZero() {
			return fault.Field("mediaUrl", "the template %s has %s as its header; give the URL of the file", tpl.Name, want)
		}
		if kind != "" && kind != want {
			return fault.Field("mediaType", "the header of the template %s is of type %s, not %s", tpl.Name, want, kind)
		}
		file := *media
		u.send.HeaderKind, u.send.HeaderMedia = want, &file
	default:
		if media != nil {
			return fault.Field("mediaUrl", "the template %s has no header for a file", tpl.Name)
		}
	}
	return nil
}

// pick finds a template by name. Without a language the stored template's own
// counts: an approved one, then the first stored. A language of two letters
// also finds its only regional form, and the other way round ("en", "en_US").
func (t *Templates) pick(r store.Reader, kind, name, language string) (Template, error) {
	if name == "" {
		return Template{}, fault.Missing("templateName")
	}
	all, err := t.named(r, kind, name)
	if err != nil {
		return Template{}, err
	}
	if len(all) == 0 {
		return Template{}, fault.Field("templateName", "there is no template named %s; synchronise the templates or choose another", name)
	}
	if language == "" {
		sort.SliceStable(all, func(i, j int) bool {
			return strings.EqualFold(all[i].Status, "APPROVED") && !strings.EqualFold(all[j].Status, "APPROVED")
		})
		return all[0], nil
	}
	var near []Template
	base, region, _ := strings.Cut(strings.ReplaceAll(language, "-", "_"), "_")
	for _, c := range all {
		b, g, _ := strings.Cut(c.Language, "_")
		switch {
		case strings.EqualFold(b, base) && strings.EqualFold(g, region):
			return c, nil
		case strings.EqualFold(b, base) && (g == "" || region == ""):
			near = append(near, c)
		}
	}
	if len(near) == 1 {
		return near[0], nil
	}
	return Template{}, fault.Field("templateLanguage", "the template %s does not exist in the language %s", name, language)
}

// values returns one value per position. Positional values must be as many as
// there are positions. Named ones match, in this order: the position's number,
// the label or field of its mapping, the placeholder's own name; keys that match
// nothing fill what is neither given nor mapped in their natural order ("v2"
// before "v10"), if there are exactly as many. The mapping fills the rest.
func (t *Templates) values(r store.Reader, tpl Template, contactID id.ID, u TemplateUse) ([]string, error) {
	n := len(tpl.Positions)
	if len(u.Values) > 0 {
		if len(u.Values) != n {
			return nil, fault.Field("variables", "the template %s takes %d values, not %d", tpl.Name, n, len(u.Values))
		}
		return slices.Clone(u.Values), nil
	}
	if len(u.Named)+len(u.Vars) == 0 && n > 0 && len(tpl.Mapping) == 0 {
		return nil, fault.Field("variables", "the template %s takes %d values, not 0", tpl.Name, n)
	}
	given, vars := tpl.given(u)
	values, issues, err := t.ResolveIn(r, tpl, Context{Contact: contactID, Named: given, Vars: vars, Resolved: u.Resolved})
	if err != nil {
		return nil, err
	}
	for _, i := range issues {
		if i.Blocks && i.Reason == "unmapped" {
			return nil, fault.Field("variables", "the template %s wants a value for %d of %d, {{%s}}", tpl.Name, i.Position, n, i.Label)
		}
	}
	if blocked(issues) {
		return nil, notReady(tpl, issues)
	}
	return values, nil
}

// given splits what the caller named into values of positions and variables
// that the mapping may look for.
func (tpl Template) given(u TemplateUse) (named map[string]string, vars map[string]any) {
	named, vars = map[string]string{}, map[string]any{}
	for k, v := range u.Vars {
		vars[k] = v
	}
	used, open := map[string]bool{}, []Position{}
	for _, p := range tpl.Positions {
		found := false
		for _, k := range tpl.keys(p) {
			if v, ok := u.Named[k]; ok {
				if used[k] = true; !found {
					named[strconv.Itoa(p.Position)], found = v, true
				}
			}
		}
		if _, mapped := tpl.mapping(p); !found && !mapped {
			open = append(open, p)
		}
	}
	var spare []string
	for k, v := range u.Named {
		if !used[k] {
			spare = append(spare, k)
		}
		if _, ok := vars[k]; !ok {
			vars[k] = v
		}
	}
	if len(open) > 0 && len(spare) == len(open) {
		sort.Slice(spare, func(i, j int) bool { return natural(spare[i], spare[j]) })
		for i, p := range open {
			named[strconv.Itoa(p.Position)] = u.Named[spare[i]]
		}
	}
	return named, vars
}

// keys are the names by which a value for p may come.
func (tpl Template) keys(p Position) []string {
	keys := []string{strconv.Itoa(p.Position)}
	for _, m := range tpl.Mapping {
		if m.Position == p.Position {
			for _, k := range []string{m.Label, m.Field} {
				if k != "" {
					keys = append(keys, k)
				}
			}
		}
	}
	if _, err := strconv.Atoi(p.Name); err != nil { // {{1}} of a body is position 2 behind a header's
		keys = append(keys, p.Name)
	}
	return keys
}

// natural orders texts so that numbers within them count as numbers.
func natural(a, b string) bool {
	pa, na := tailNumber(a)
	pb, nb := tailNumber(b)
	if pa == pb && na >= 0 && nb >= 0 && na != nb {
		return na < nb
	}
	return a < b
}

func tailNumber(s string) (prefix string, n int) {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(s[i:])
	if err != nil {
		return s, -1
	}
	return s[:i], n
}
