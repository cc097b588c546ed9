package filter

import (
	"slices"
	"strings"
	"unicode"

	"parley/internal/fault"
)

// titleField is what the bare words of a query are looked for in.
const titleField = "_title"

// ParseLucene reads a query of Lucene's syntax: field:value, "phrase", * and ? as
// wildcards, [a TO b] and {a TO b}, > >= < <=, AND OR NOT && || ! + -, groups, also
// behind a field, _exists_:field and *:*. Clauses with nothing between them are
// joined as Lucene does: those with + must hold, else one of those without a sign.
// text is set, and f matches everything, when the whole query is bare words, which
// search titles. Faults name q.
func ParseLucene(q string) (f Filter, text string, err error) {
	if len(q) > MaxText {
		return f, "", bad("q", "q must not be longer than %d bytes", MaxText)
	}
	p := &lucene{s: []rune(q), bare: true}
	p.space()
	if p.end() {
		return f, "", nil
	}
	f, err = p.clauses("")
	switch {
	case err != nil:
		return Filter{}, "", err
	case !p.end():
		return Filter{}, "", p.wrong("there is a ) without a ( before it")
	case p.bare:
		return Filter{}, strings.Join(p.words, " "), nil
	}
	if err := f.Validate(); err != nil {
		if w := fault.As(err); w != nil {
			return Filter{}, "", bad("q", "q: %s", w.Message)
		}
		return Filter{}, "", err
	}
	return f, "", nil
}

// lucene reads a query from the left.
type lucene struct {
	s     []rune
	i     int
	depth int
	bare  bool // nothing but words was met
	words []string
}

// maxGroups bounds groups within groups; Validate bounds what they become.
const maxGroups = 4 * MaxDepth

func (p *lucene) end() bool { return p.i >= len(p.s) }

// peek returns the character n ahead, or 0.
func (p *lucene) peek(n int) rune {
	if p.i+n < len(p.s) {
		return p.s[p.i+n]
	}
	return 0
}

func (p *lucene) space() {
	for !p.end() && unicode.IsSpace(p.s[p.i]) {
		p.i++
	}
}

func (p *lucene) wrong(format string, args ...any) error {
	return bad("q", "q, at character %d: "+format, append([]any{p.i + 1}, args...)...)
}

// word takes an operator that stands alone.
func (p *lucene) word(names ...string) bool {
	for _, name := range names {
		n := len(name)
		if p.i+n > len(p.s) || string(p.s[p.i:p.i+n]) != name {
			continue
		}
		if next := p.peek(n); next == 0 || unicode.IsSpace(next) || next == '(' || next == ')' || name == "&&" || name == "||" {
			p.i += n
			p.space()
			p.bare = false
			return true
		}
	}
	return false
}

// clauses reads up to the end or a closing parenthesis. Bare values are of field.
func (p *lucene) clauses(field string) (Filter, error) {
	if p.depth++; p.depth > maxGroups {
		return Filter{}, p.wrong("groups are nested too deep")
	}
	defer func() { p.depth-- }()
	var must, not, should []Filter
	for p.space(); !p.end() && p.peek(0) != ')'; p.space() {
		f, mark, err := p.either(field)
		if err != nil {
			return f, err
		}
		switch mark {
		case '+':
			must = append(must, f)
		case '-':
			not = append(not, f)
		default:
			should = append(should, f)
		}
	}
	switch {
	case must == nil && not == nil && should == nil:
		return Filter{}, p.wrong("something is missing here")
	case must != nil:
		return conjunction(append(must, not...)), nil
	case should != nil:
		return conjunction(append([]Filter{disjunction(should)}, not...)), nil
	}
	return conjunction(not), nil
}

// disjunction joins by OR; equalities of one field become one list.
func disjunction(list []Filter) Filter {
	if len(list) == 1 {
		return list[0]
	}
	var values []any
	for _, f := range list {
		if f.Field != list[0].Field || f.Op != Equal && f.Op != AnyOf {
			return Filter{Op: Or, Of: list}
		}
		if f.Op == Equal {
			values = append(values, f.Value)
		} else {
			values = append(values, f.List...)
		}
	}
	return Filter{Op: AnyOf, Field: list[0].Field, List: values}
}

// either reads clauses joined by OR. mark is the sign of one that stands alone.
func (p *lucene) either(field string) (f Filter, mark rune, err error) {
	f, mark, err = p.both(field)
	list := []Filter{f}
	for p.space(); err == nil && p.word("OR", "||"); p.space() {
		var next Filter
		next, _, err = p.both(field)
		list = append(list, next)
	}
	if err != nil || len(list) == 1 {
		return f, mark, err
	}
	return disjunction(list), 0, nil
}

// both reads clauses joined by AND.
func (p *lucene) both(field string) (f Filter, mark rune, err error) {
	f, mark, err = p.signed(field)
	list := []Filter{f}
	for p.space(); err == nil && p.word("AND", "&&"); p.space() {
		var next Filter
		next, _, err = p.signed(field)
		list = append(list, next)
	}
	if len(list) > 1 {
		mark = 0
	}
	return conjunction(list), mark, err
}

// signed reads a clause with its sign. mark is + or -; a - is already in f.
func (p *lucene) signed(field string) (f Filter, mark rune, err error) {
	if p.depth++; p.depth > maxGroups {
		return f, 0, p.wrong("signs are nested too deep")
	}
	defer func() { p.depth-- }()
	c, next := p.peek(0), p.peek(1)
	switch {
	case p.word("NOT"):
	case (c == '-' || c == '!' || c == '+') && next != 0 && !unicode.IsSpace(next):
		p.i++
		if c == '+' { // of bare words all are wanted anyway
			f, _, err = p.signed(field)
			return f, '+', err
		}
		p.bare = false
	default:
		f, err = p.clause(field)
		return f, 0, err
	}
	f, _, err = p.signed(field)
	return Filter{Op: Not, Of: []Filter{f}}, '-', err
}

// clause reads a group, or a value, or a field with either.
func (p *lucene) clause(field string) (Filter, error) {
	switch c := p.peek(0); {
	case c == '(':
		return p.group(field)
	case field == "" && strings.ContainsRune(`"`, c) && c != 0:
		return p.value("")
	case field != "" && strings.ContainsRune(`"[{/<>`, c) && c != 0:
		return p.value(field)
	}
	if p.word("AND", "OR", "NOT", "&&", "||") {
		return Filter{}, p.wrong("AND, OR and NOT need something on both sides")
	}
	t, err := p.term(":")
	if err != nil {
		return Filter{}, err
	}
	if p.peek(0) != ':' {
		return p.valued(field, t)
	}
	p.i++
	p.bare = false
	p.space()
	if p.end() {
		return Filter{}, p.wrong("the value of %s is missing", clip(t.text))
	}
	switch {
	case t.special("*") && p.peek(0) == '*':
		p.i++
		return Filter{}, p.boost()
	case t.wild:
		return Filter{}, p.wrong("a field must be named; * and ? cannot stand for one")
	case t.special("_exists_"):
		v, err := p.term("")
		if err != nil || v.wild {
			return Filter{}, p.wrong("_exists_ takes the name of a field")
		}
		name, err := p.named(v.text)
		return Filter{Op: Filled, Field: name}, err
	}
	name, err := p.named(t.text)
	if err != nil {
		return Filter{}, err
	}
	if p.peek(0) == '(' {
		return p.group(name)
	}
	return p.value(name)
}

func (p *lucene) named(s string) (string, error) {
	name, err := fieldName(s, "q")
	if w := fault.As(err); w != nil {
		return "", p.wrong("%s", w.Message)
	}
	return name, err
}

func (p *lucene) group(field string) (Filter, error) {
	p.bare = false
	p.i++
	f, err := p.clauses(field)
	if err != nil {
		return f, err
	}
	if p.peek(0) != ')' {
		return f, p.wrong("a ) is missing")
	}
	p.i++
	return f, p.boost()
}

// boost passes ^2, which tells how much a clause counts: nothing is scored here.
func (p *lucene) boost() error {
	if p.peek(0) == '~' {
		return p.wrong("similar words and slop, as in word~ and \"two words\"~2, are not supported")
	}
	if p.peek(0) != '^' {
		return nil
	}
	p.i++
	from := p.i
	for !p.end() && strings.ContainsRune("0123456789.", p.s[p.i]) {
		p.i++
	}
	if from == p.i {
		return p.wrong("a number must stand behind ^")
	}
	return nil
}

// value reads what stands behind a field, or a phrase of the title.
func (p *lucene) value(field string) (f Filter, err error) {
	switch c := p.peek(0); c {
	case '"':
		p.bare = false
		s, err := p.phrase()
		if err != nil {
			return f, err
		}
		if field == "" {
			return inTitle(s), p.boost()
		}
		return Filter{Op: Equal, Field: field, Value: s}, p.boost()
	case '[', '{':
		return p.between(field)
	case '/':
		return p.regex(field)
	case '<', '>':
		p.i++
		op := Under
		if c == '>' {
			op = Over
		}
		if p.peek(0) == '=' {
			p.i++
			op = map[Op]Op{Under: UpTo, Over: From}[op]
		}
		p.space()
		s, open, err := p.limit("")
		if err == nil && open {
			err = p.wrong("a value is missing")
		}
		return Filter{Op: op, Field: field, Value: s}, err
	}
	t, err := p.term("")
	if err != nil {
		return f, err
	}
	return p.valued(field, t)
}

// inTitle looks for a text within titles; an empty one is within all.
func inTitle(s string) Filter {
	if s == "" {
		return Filter{}
	}
	return Filter{Op: Holds, Field: titleField, Value: s}
}

// Titled is the filter of bare words: each of them begins a word of the title.
func Titled(text string) Filter {
	f := Filter{Op: And}
	for _, w := range strings.Fields(text) {
		f.Of = append(f.Of, Filter{Op: Or, Of: []Filter{{Op: Begins, Field: titleField, Value: w}, {Op: Holds, Field: titleField, Value: " " + w}}})
	}
	return f
}

// valued is the filter of a term: of the title when there is no field.
func (p *lucene) valued(field string, t luceneTerm) (Filter, error) {
	err := p.boost()
	stars := strings.Trim(t.pattern, "*") == "" && t.wild
	switch {
	case err != nil:
		return Filter{}, err
	case field == "" && !t.wild:
		p.words = append(p.words, t.text)
		return inTitle(t.text), nil
	case field == "" && stars:
		p.bare = false
		return Filter{}, nil
	case field == "":
		p.bare = false
		f := Filter{Op: Wild, Field: titleField, Value: t.pattern}
		if strings.HasPrefix(t.pattern, "*") {
			return f, nil
		}
		return Filter{Op: Or, Of: []Filter{f, {Op: Wild, Field: titleField, Value: "* " + t.pattern}}}, nil
	case !t.wild:
		return Filter{Op: Equal, Field: field, Value: t.text}, nil
	case stars:
		return Filter{Op: Filled, Field: field}, nil
	}
	chars := wildcardOf(t.pattern).chars
	switch n := slices.IndexFunc(chars, func(r rune) bool { return r < 0 }); {
	case n == len(chars)-1 && chars[n] == anyN:
		return Filter{Op: Begins, Field: field, Value: t.text}, nil
	case n == 0 && chars[0] == anyN && !slices.ContainsFunc(chars[1:], func(r rune) bool { return r < 0 }):
		return Filter{Op: Ends, Field: field, Value: t.text}, nil
	}
	return Filter{Op: Wild, Field: field, Value: t.pattern}, nil
}
