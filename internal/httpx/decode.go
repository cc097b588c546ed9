package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"parley/internal/fault"
)

// MaxDepth is how deep lists and objects may nest in a body.
const MaxDepth = 64

var bom = []byte("\xef\xbb\xbf")

// Decode reads the JSON body into dst, a pointer. It is strict about types,
// naming the dotted path of the field to blame, and tolerant of unknown fields.
// An empty body counts as {} and leaves dst as it is. Malformed JSON is a fault
// with Reason "json".
func (r *Request) Decode(dst any) error { return DecodeJSON(r.Body, dst) }

// DecodeJSON is Decode for bytes that came another way.
func DecodeJSON(body []byte, dst any) error {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, bom))
	if len(body) == 0 {
		return nil
	}
	if depth(body) > MaxDepth {
		return fault.New(fault.Invalid, "the body nests lists and objects deeper than %d levels", MaxDepth).Because("json")
	}
	if err := checkStrings(body); err != nil {
		return err
	}
	err := json.Unmarshal(body, dst)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || !json.Valid(body) {
		return malformed()
	}
	return blame(body, dst, err)
}

func malformed() error {
	return fault.New(fault.Invalid, "the body is not valid JSON").Because("json")
}

// depth returns how deep brackets nest outside of strings.
func depth(b []byte) int {
	deepest, now := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if now++; now > deepest {
				deepest = now
			}
		case '}', ']':
			now--
		}
	}
	return deepest
}

// checkStrings refuses text that a database cannot hold: NUL and invalid UTF-8,
// in values and in names. The body is walked only when a cheap look finds a
// suspect, because almost none does.
func checkStrings(body []byte) error {
	if utf8.Valid(body) && !bytes.Contains(body, []byte(`\u0000`)) {
		return nil
	}
	if !json.Valid(body) {
		return malformed()
	}
	path, why := findBadText(body)
	if why == "" {
		return nil
	}
	if path == "" {
		return fault.New(fault.Invalid, "the body %s", why).Because("json")
	}
	return fault.Field(path, "%s %s", path, why)
}

// findBadText walks valid JSON and returns the dotted path of the first string
// that is unfit.
func findBadText(body []byte) (path, why string) {
	type frame struct {
		object bool
		name   string
		index  int
		inKey  bool
	}
	var stack []frame
	here := func() string {
		p := ""
		for _, f := range stack {
			if f.object {
				p = join(p, f.name)
			} else {
				p = join(p, itoa(f.index))
			}
		}
		return p
	}
	// The decoder replaces invalid UTF-8 silently, so strings are judged by their
	// raw bytes, which lie just before the decoder's offset.
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	done := func() { // one value ended inside the innermost frame
		if n := len(stack); n > 0 {
			if stack[n-1].object {
				stack[n-1].inKey = true
			} else {
				stack[n-1].index++
			}
		}
	}
	for {
		from := dec.InputOffset()
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return "", ""
		}
		raw := body[from:dec.InputOffset()]
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{':
				stack = append(stack, frame{object: true, inKey: true})
			case '[':
				stack = append(stack, frame{})
			default:
				stack = stack[:len(stack)-1]
				done()
			}
		case string:
			bad := checkText(v)
			if bad == "" && !utf8.Valid(raw) {
				bad = checkText(string(raw))
			}
			key := len(stack) > 0 && stack[len(stack)-1].object && stack[len(stack)-1].inKey
			if bad != "" {
				if key { // a name that is unfit cannot be shown: blame its holder
					stack = stack[:len(stack)-1]
					return here(), "has a field whose name " + bad
				}
				return here(), bad
			}
			if key {
				stack[len(stack)-1].name, stack[len(stack)-1].inKey = v, false
			} else {
				done()
			}
		default:
			done()
		}
	}
}
