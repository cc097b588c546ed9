package filter

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/fault"
)

// Lucene writes a filter of the fifth group so that ParseLucene reads one of the
// same meaning. What has no such form is a fault.
func Lucene(f Filter) (string, error) {
	var b strings.Builder
	if err := f.lucene(&b); err != nil {
		return "", err
	}
	q := b.String()
	if _, _, err := ParseLucene(q); err != nil { // too long or too deep in this form
		if w := fault.As(err); w != nil {
			return "", bad("filter", "the filter cannot be written as a query: %s", w.Message)
		}
		return "", err
	}
	return q, nil
}

const (
	everything = "*:*"
	nothing    = "(NOT *:*)"
)

func (f *Filter) lucene(b *strings.Builder) error {
	switch f.Op {
	case "":
		b.WriteString(everything)
		return nil
	case And:
		return joinLucene(b, f.Of, " AND ", "", everything)
	case Nor:
		return joinLucene(b, f.Of, " AND ", "NOT ", everything)
	case Or:
		return joinLucene(b, f.Of, " OR ", "", nothing)
	case Not:
		return joinLucene(b, f.Of, " AND ", "NOT ", everything)
	}
	if !f.Op.targeting() {
		return bad("filter", "%s has no form in a query", f.Op)
	}
	if read, err := fieldName(f.Field, "filter"); err != nil || read != f.Field || !utf8.ValidString(f.Field) {
		return bad("filter", "the attribute %q cannot be written in a query", clip(f.Field))
	}
	name := strings.ReplaceAll(quoteTerm(f.Field), `\.`, ".")
	if name == "_exists_" {
		name = `\` + name
	}
	if f.Op == Filled {
		b.WriteString("_exists_:" + name)
		return nil
	}
	if f.Op == AnyOf {
		if len(f.List) == 0 {
			b.WriteString(nothing)
			return nil
		}
		b.WriteString(name + ":(")
		for i, v := range f.List {
			s, err := written5(v)
			if err != nil {
				return err
			}
			b.WriteString([]string{" OR ", ""}[truth(i == 0)] + quotePhrase(s))
		}
		b.WriteString(")")
		return nil
	}
	s, err := written5(f.Value)
	if err != nil {
		return err
	}
	b.WriteString(name + ":" + luceneOperand(f.Op, s))
	return nil
}

func luceneOperand(op Op, s string) string {
	switch op {
	case Holds:
		return "/.*" + quoteTerm(s) + ".*/"
	case Begins:
		return quoteTerm(s) + "*"
	case Ends:
		return "*" + quoteTerm(s)
	case Wild:
		var out strings.Builder
		for _, r := range wildcardOf(s).chars {
			switch r {
			case any1:
				out.WriteByte('?')
			case anyN:
				out.WriteByte('*')
			default:
				out.WriteString(quoteTerm(string(r)))
			}
		}
		return out.String()
	case Over:
		return "{" + quotePhrase(s) + " TO *]"
	case From:
		return "[" + quotePhrase(s) + " TO *]"
	case Under:
		return "[* TO " + quotePhrase(s) + "}"
	case UpTo:
		return "[* TO " + quotePhrase(s) + "]"
	}
	return quotePhrase(s)
}

func joinLucene(b *strings.Builder, list []Filter, word, each, none string) error {
	if len(list) == 0 {
		b.WriteString(none)
		return nil
	}
	b.WriteByte('(')
	for i := range list {
		if i > 0 {
			b.WriteString(word)
		}
		b.WriteString(each)
		if err := list[i].lucene(b); err != nil {
			return err
		}
	}
	b.WriteByte(')')
	return nil
}

// written5 is a constant as a text of the same meaning.
func written5(v any) (string, error) {
	s := shown(v)
	if !utf8.ValidString(s) {
		return "", bad("filter", "a value of the filter is no text and cannot be written in a query")
	}
	n, isNum := numOf(v)
	if m, ok := written10(s); isNum && (!ok || m != n) {
		return "", bad("filter", "the number %s cannot be written in a query", s)
	}
	return s, nil
}

func quotePhrase(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quoteTerm puts a \ before every character of ASCII that is more than a letter, a
// digit, _ or an inner dot, and before spaces.
func quoteTerm(s string) string {
	var b strings.Builder
	for i, r := range s {
		word := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80 && !unicode.IsSpace(r)
		if !word || i == 0 && slices.Contains([]string{"AND", "OR", "NOT", "TO"}, s) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
