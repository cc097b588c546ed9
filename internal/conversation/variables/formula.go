package variables

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Bounds of a formula.
const (
	maxFormula = 1024 // bytes
	maxDepth   = 8    // calls within calls
)

// Formulas are the functions of a formula (reference §3.15) with their shapes.
var Formulas = []Function{
	{"formatDate", `formatDate(date, "DD MMM YYYY")`, 1, 2},
	{"formatTime", `formatTime(date, "h:mm a")`, 1, 2},
	{"uppercase", "uppercase(text)", 1, 1},
	{"lowercase", "lowercase(text)", 1, 1},
	{"concat", `concat(text, " ", text)`, 1, 32},
	{"truncate", "truncate(text, 20)", 2, 2},
}

// Function is one function of a formula.
type Function struct {
	Name    string `json:"name"`
	Example string `json:"example"`
	least   int
	most    int
}

// CheckFormula says what is wrong with a formula, in a sentence.
func CheckFormula(formula string) error {
	_, err := Source{}.Eval(formula)
	return err
}

// Eval computes a formula: a call such as concat(lead.firstName, " ", vars.x), a
// path, or a text with {{ paths }}. What is not found counts as "".
func (s Source) Eval(formula string) (string, error) {
	if len(formula) > maxFormula {
		return "", fmt.Errorf("the formula is longer than %d bytes", maxFormula)
	}
	formula = strings.TrimSpace(formula)
	if strings.Contains(formula, "{{") && !strings.HasSuffix(formula, ")") {
		return s.Render(formula), nil
	}
	p := &parser{s: s, text: formula}
	v, err := p.expr(0)
	if err != nil {
		return "", err
	}
	if p.space(); p.at < len(p.text) {
		return "", fmt.Errorf("the formula goes on after its end: %s", cut(p.text[p.at:], 40))
	}
	return cut(v.show(s), maxText), nil
}

// operand is a value with the path it came from, "" for a computed one.
type operand struct {
	path string
	v    any
}

func (o operand) show(s Source) string {
	if o.path == "" {
		return Plain(o.v)
	}
	return s.Show(o.path, o.v)
}

type parser struct {
	s    Source
	text string
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) next() byte {
	if p.space(); p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) expr(depth int) (operand, error) {
	if depth > maxDepth {
		return operand{}, fmt.Errorf("the formula nests more than %d calls", maxDepth)
	}
	c := p.next()
	if c == '"' || c == '\'' {
		return p.quoted(c)
	}
	braces := strings.HasPrefix(p.text[p.at:], "{{")
	if braces {
		p.at += 2
		p.space()
	}
	word := p.word()
	if word == "" {
		return operand{}, fmt.Errorf("the formula wants a text in quotes, a number, a field or a function at %q", cut(p.text[p.at:], 20))
	}
	if braces {
		if p.space(); !strings.HasPrefix(p.text[p.at:], "}}") {
			return operand{}, fmt.Errorf("the formula lacks }} after %s", word)
		}
		p.at += 2
	} else if p.next() == '(' {
		p.at++
		return p.call(word, depth)
	}
	if n, ok := Number(word); ok {
		return operand{v: n}, nil
	}
	v, ok := p.s.Look(word)
	if !ok {
		v, _ = p.s.Field(word)
	}
	return operand{word, v}, nil
}

func (p *parser) word() string {
	from := p.at
	for p.at < len(p.text) {
		r := rune(p.text[p.at])
		if r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-", r) {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

func (p *parser) quoted(quote byte) (operand, error) {
	end := strings.IndexByte(p.text[p.at+1:], quote)
	if end < 0 {
		return operand{}, fmt.Errorf("the formula lacks the closing quote of %s", cut(p.text[p.at:], 40))
	}
	text := p.text[p.at+1 : p.at+1+end]
	p.at += end + 2
	return operand{v: text}, nil
}

func (p *parser) call(name string, depth int) (operand, error) {
	i := slices.IndexFunc(Formulas, func(f Function) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return operand{}, fmt.Errorf("there is no function %s; use formatDate, formatTime, uppercase, lowercase, concat or truncate", cut(name, 40))
	}
	var args []operand
	for p.next() != ')' {
		if len(args) > 0 {
			if p.next() != ',' {
				return operand{}, fmt.Errorf("the formula wants a comma or a closing bracket in %s", name)
			}
			p.at++
		}
		a, err := p.expr(depth + 1)
		if err != nil {
			return operand{}, err
		}
		args = append(args, a)
	}
	p.at++
	f := Formulas[i]
	if len(args) < f.least || len(args) > f.most {
		return operand{}, fmt.Errorf("%s takes %s", f.Name, f.Example)
	}
	return p.s.apply(f.Name, args)
}

func (s Source) apply(name string, args []operand) (operand, error) {
	first := args[0]
	out := ""
	switch name {
	case "formatDate", "formatTime":
		form := map[string]string{"formatDate": "D MMMM YYYY", "formatTime": "h:mm a"}[name]
		if len(args) == 2 {
			form = Plain(args[1].v)
		}
		out = s.formatTime(first.v, form)
	case "uppercase":
		out = strings.ToUpper(first.show(s))
	case "lowercase":
		out = strings.ToLower(first.show(s))
	case "concat":
		var b strings.Builder
		for _, a := range args {
			b.WriteString(cut(a.show(s), maxText-min(maxText, b.Len())))
		}
		out = b.String()
	case "truncate":
		n, ok := Number(args[1].v)
		if !ok || n < 0 || n > maxText {
			return operand{}, fmt.Errorf("truncate takes a number of characters, such as truncate(text, 20)")
		}
		r := []rune(first.show(s))
		out = string(r[:min(len(r), int(n))])
	}
	return operand{v: out}, nil
}

// tokens of a date form, longest first; what is none of them stays.
var tokens = []struct{ token, layout string }{
	{"YYYY", "2006"}, {"yyyy", "2006"}, {"MMMM", "January"}, {"dddd", "Monday"}, {"MMM", "Jan"}, {"ddd", "Mon"},
	{"YY", "06"}, {"yy", "06"}, {"MM", "01"}, {"DD", "02"}, {"dd", "02"}, {"HH", "15"}, {"hh", "03"}, {"mm", "04"}, {"ss", "05"},
	{"M", "1"}, {"D", "2"}, {"d", "2"}, {"h", "3"}, {"A", "PM"}, {"a", "pm"},
}

// formatTime writes a time in a form such as "DD MMM YYYY"; what is no time is
// written as it is.
func (s Source) formatTime(v any, form string) string {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	t, dateOnly, ok := Moment(v, zone)
	if !ok {
		return Plain(v)
	}
	if !dateOnly {
		t = t.In(zone)
	}
	var b strings.Builder
	for form != "" {
		i := slices.IndexFunc(tokens, func(k struct{ token, layout string }) bool { return strings.HasPrefix(form, k.token) })
		if i < 0 {
			b.WriteByte(form[0])
			form = form[1:]
			continue
		}
		b.WriteString(t.Format(tokens[i].layout))
		form = form[len(tokens[i].token):]
	}
	return b.String()
}
