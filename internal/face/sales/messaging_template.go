package sales

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/id"
)

// keyed is a template with its key on this wire: its name, or for a further
// language of the same name "name:language".
type keyed struct {
	conversation.Template
	key, name string
}

// templates returns the templates of a kind of channel that can be sent now.
func (f *Face) templates(ctx context.Context, tenant id.ID, kind string) ([]keyed, error) {
	all, err := f.s.Conversations.Templates().List(ctx, tenant, conversation.TemplateQuery{Channel: kind, Status: "APPROVED"})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t conversation.Template) bool { return !t.Active })
	oldest, languages := map[string]conversation.Template{}, map[string]int{}
	for _, t := range all {
		languages[t.Name]++
		if o, ok := oldest[t.Name]; !ok || t.CreatedAt.Before(o.CreatedAt) {
			oldest[t.Name] = t
		}
	}
	out := make([]keyed, 0, len(all))
	for _, t := range all {
		k := keyed{t, t.Name, t.Name}
		if languages[t.Name] > 1 {
			k.name += " (" + t.Language + ")"
			if oldest[t.Name].ID != t.ID {
				k.key += ":" + t.Language
			}
		}
		out = append(out, k)
	}
	return out, nil
}

// byKey finds a template by its key, or by its name and language, or by its id.
func byKey(all []keyed, key string) (keyed, bool) {
	for _, is := range []func(keyed) bool{
		func(k keyed) bool { return k.key == key },
		func(k keyed) bool { return k.Name+":"+k.Language == key },
		func(k keyed) bool { return k.ID.String() == key },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], true
		}
	}
	return keyed{}, false
}

// numbered is a placeholder that has no name.
var numbered = regexp.MustCompile(`^[0-9]+$`)

// names are the parameters that fill a position, the one that is shown first: the
// label of its mapping, "prospect." and the field of a mapping to the prospect,
// the mapping's field, the placeholder's own name. A number means the body's
// placeholder; those of the header and of the buttons are header.1 and button.1.
func (k keyed) names(p conversation.Position) []string {
	var out []string
	for _, m := range k.Mapping {
		if m.Position != p.Position {
			continue
		}
		if m.Label != "" {
			out = append(out, m.Label)
		}
		if m.Field != "" {
			if m.Source == "crm" || m.Source == "" {
				out = append(out, "prospect."+strings.TrimPrefix(m.Field, "lead."))
			}
			out = append(out, m.Field)
		}
	}
	switch {
	case !numbered.MatchString(p.Name):
		out = append(out, p.Name)
	case p.Component == "HEADER":
		out = append(out, "header."+p.Name)
	case p.Component == "BUTTON":
		out = append(out, "button."+strconv.Itoa(p.Index+1))
	default:
		out = append(out, p.Name)
	}
	return out
}

// placeholder finds {{1}} and {{first_name}}.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.]+)\s*\}\}`)

// body is the template's text with the names by which its placeholders are
// overridden.
func (k keyed) body() string {
	return placeholder.ReplaceAllStringFunc(k.BodyText, func(s string) string {
		name := placeholder.FindStringSubmatch(s)[1]
		for _, p := range k.Positions {
			if p.Component == "BODY" && p.Name == name {
				return "{{" + k.names(p)[0] + "}}"
			}
		}
		return s
	})
}

// given returns the overrides by position. One that is empty overrides nothing,
// and one that the template does not know is not needed.
func (k keyed) given(parameters map[string]*string) map[string]string {
	out := map[string]string{}
	for _, p := range k.Positions {
		for _, n := range k.names(p) {
			if v := parameters[n]; v != nil && strings.TrimSpace(*v) != "" {
				out[strconv.Itoa(p.Position)] = *v
				break
			}
		}
	}
	return out
}

// checkParameters refuses values that a provider refuses in a placeholder's place
// (reference §4.8): four spaces in a row, line breaks, tabs.
func checkParameters(parameters map[string]*string) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		v := parameters[name]
		if v == nil {
			continue
		}
		if strings.Contains(*v, "    ") || strings.ContainsAny(*v, "\r\n\t") {
			return fault.Field("parameters."+name, "parameters.%s must not hold four spaces in a row, line breaks or tabs", name).Because(reasonParameter)
		}
	}
	return nil
}

// aboutProspect is what placeholders with dotted names are filled from: the
// prospect, its agent and its group.
func (f *Face) aboutProspect(ctx context.Context, tenant, cid id.ID) (map[string]any, error) {
	reads := f.s.Handovers.Reads(ctx, tenant)
	c, err := f.s.Contacts.Get(reads, cid)
	if err != nil {
		return nil, err
	}
	work, err := f.s.Handovers.Get(reads, cid)
	if err != nil {
		return nil, err
	}
	prospect := map[string]any{"id": c.ID.String(), "firstName": c.FirstName, "lastName": c.LastName, "fullName": c.Name(), "email": c.Email(),
		"phone": c.Phone(), "category": work.Category, "status": work.Status, "additionalData": c.Attributes}
	for k, v := range c.Attributes {
		if _, own := prospect[k]; !own {
			prospect[k] = v
		}
	}
	out := map[string]any{"prospect": prospect}
	return out, f.aboutWork(ctx, tenant, work, out)
}

func (f *Face) aboutWork(ctx context.Context, tenant id.ID, work handover.Work, out map[string]any) error {
	reads := f.s.Agents.Reads(ctx, tenant)
	g, err := f.s.Agents.Group(reads, work.Group)
	if err == nil {
		out["group"] = map[string]any{"id": g.ID.String(), "name": g.Name, "displayName": g.Shown()}
	}
	if err != nil && fault.As(err) == nil || work.Agent.IsZero() {
		return gone(err)
	}
	a, err := f.s.Agents.Agent(reads, work.Agent)
	if err == nil {
		out["agent"] = map[string]any{"id": a.ID.String(), "firstName": a.FirstName, "lastName": a.LastName, "email": a.Email, "phone": a.Phone}
	}
	return gone(err)
}

// gone turns the fault of what is not there any more into nothing.
func gone(err error) error {
	if fault.As(err) != nil {
		return nil
	}
	return err
}
