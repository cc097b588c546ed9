package contact

import (
	"strings"
	"unicode"

	"parley/internal/fault"
)

// NinKind is the kind of identity that holds a national identification number. It
// moves with a contact like any other identity, so it survives merges, but it
// never finds anybody: only phones and e-mails do (sales reference §4.1), and two
// contacts may have the same one. It is never claimed.
const NinKind = "nin"

// NinTypes are the types of numbers (sales reference §3.1).
var NinTypes = []string{"CUIT", "CUIL", "DNI", "CPF", "RUN", "RUT", "CURP", "RFC", "IMSS", "DNIC", "RUC", "CE"}

const maxNin = 64 // characters of a number

// Nin is a national identification number.
type Nin struct {
	Type   string // one of NinTypes
	Number string // as it was given
}

// Nins returns the contact's numbers, the first one given first.
func (c *Contact) Nins() []Nin {
	var out []Nin
	for _, i := range c.Identities {
		if i.Kind == NinKind {
			typ, _, _ := strings.Cut(i.Value, ":")
			out = append(out, Nin{typ, i.Raw})
		}
	}
	return out
}

// identity checks a number and writes it as an identity: "DNI:23345223", without
// the marks between the digits. The type is read in any case of letters.
func (n Nin) identity(field string) (Identity, error) {
	typ := ""
	for _, t := range NinTypes {
		if strings.EqualFold(t, strings.TrimSpace(n.Type)) {
			typ = t
		}
	}
	if typ == "" {
		return Identity{}, fault.Field(field+".type", "%s.type must be one of %s", field, strings.Join(NinTypes, ", "))
	}
	number, err := Line(field+".number", n.Number, maxNin)
	if err != nil {
		return Identity{}, err
	}
	key := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, number)
	if key == "" {
		return Identity{}, fault.Field(field+".number", "%s.number must hold the digits or letters of the number", field)
	}
	return Identity{Kind: NinKind, Value: typ + ":" + key, Raw: number}, nil
}
