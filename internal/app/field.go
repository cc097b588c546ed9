package app

import (
	"regexp"
	"slices"
	"strings"

	"parley/internal/fault"
)

// Entities that fields are added to.
const (
	Prospect = "prospect"
	User     = "user"
)

// FieldTypes are the types of fields (reference §4.13).
var FieldTypes = []string{"text", "number", "date", "boolean", "select"}

// Field is one additional field of prospects or users. The fields of an app are
// known outside as <developer>_<app>_<key>.
type Field struct {
	Key      string    `json:"key"`
	Name     Localized `json:"name"`
	Type     string    `json:"type"`              // one of FieldTypes
	Options  []string  `json:"options,omitempty"` // of "select"
	ReadOnly bool      `json:"readOnly,omitempty"`
	Hidden   bool      `json:"hidden,omitempty"`
	App      string    `json:"-"` // <developer>_<app>, "" for the tenant's own
}

const (
	maxFields  = 200
	maxOptions = 500
)

// keyForm is the form of a field's key: what the filter additionalData can name.
var keyForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,59}$`)

// checkFields returns fields in their stored form, or says what is wrong.
func checkFields(at string, fields []Field) ([]Field, error) {
	if len(fields) > maxFields {
		return nil, fault.Field(at, "%s must not hold more than %d fields", at, maxFields)
	}
	out, seen := slices.Clone(fields), map[string]bool{}
	for i := range out {
		f, place := &out[i], item(at, i)
		if f.Type == "" {
			f.Type = "text"
		}
		switch {
		case !keyForm.MatchString(f.Key):
			return nil, fault.Field(place+".key", "%s.key must begin with a letter and hold at most 60 letters, digits and _", place)
		case seen[f.Key]:
			return nil, fault.Field(place+".key", "%s holds the key %s twice", at, f.Key)
		case !slices.Contains(FieldTypes, f.Type):
			return nil, fault.Field(place+".type", "%s.type must be one of %s", place, strings.Join(FieldTypes, ", "))
		case f.Type == "select" && len(f.Options) == 0:
			return nil, fault.Field(place+".options", "%s.options must name at least one choice", place)
		case f.Type != "select" && len(f.Options) > 0:
			return nil, fault.Field(place+".options", "%s.options belong to the type select", place)
		case len(f.Options) > maxOptions:
			return nil, fault.Field(place+".options", "%s.options must not hold more than %d choices", place, maxOptions)
		}
		for _, o := range f.Options {
			if o == "" || !plain(o, maxText) {
				return nil, fault.Field(place+".options", "each of %s.options must be a text of at most %d bytes", place, maxText)
			}
		}
		if err := f.Name.check(place + ".name"); err != nil {
			return nil, err
		}
		seen[f.Key], f.App = true, ""
	}
	return out, nil
}
