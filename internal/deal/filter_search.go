package deal

import (
	"encoding/json"
	"strings"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/store"
)

// maxSearch bounds the text of a search, in characters.
const maxSearch = 200

// search compiles a search: the people whom it finds are fetched, unless they are
// so many that a walk meets them soon.
func (s *Service) search(r store.Reader, q *query, text string) error {
	text, err := contact.Line("search", text, maxSearch)
	if err != nil {
		return err
	}
	folded := contact.Fold(text)
	if folded == "" {
		return nil
	}
	ids, more, err := s.contacts.Candidates(r, text, work.few)
	if err != nil {
		return err
	}
	if !more {
		q.begins = append(q.begins, q.found(r.Dialect(), ids))
		return nil
	}
	words := strings.Fields(folded)
	for _, word := range words {
		q.begun(word, len(words) == 1)
	}
	q.further = func(limit int) (*beginning, error) {
		ids, more, err := s.contacts.Candidates(r, text, limit)
		if err != nil || more {
			return nil, err
		}
		b := q.found(r.Dialect(), ids)
		return &b, nil
	}
	return nil
}

// found are the people that a search found, as a condition and as a beginning.
func (q *query) found(d store.Dialect, ids []id.ID) beginning {
	list, _ := json.Marshal(ids) // ids are plain text
	if ids == nil {
		list = []byte("[]")
	}
	from := "SELECT x.value AS contact_id FROM json_each(?) x"
	if d == store.Postgres {
		from = "SELECT x.value AS contact_id FROM jsonb_array_elements_text(CAST(CAST(? AS TEXT) AS JSONB)) AS x(value)"
	}
	// The condition stands for the case that another beginning is chosen.
	q.on("search", "c.id IN ("+from+")", string(list))
	b := listed("search", "search", from, []any{string(list)})
	b.rows, b.known = len(ids), true
	return b
}

var escapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// begun is the condition that a word of what a contact is searched by begins with
// a text; for digits, also behind the country's prefix, which is up to three
// digits long; for one that is alone, also what stands behind the "@".
func (q *query) begun(word string, alone bool) {
	const like = `' ' || c.search_name LIKE ? ESCAPE '\'`
	text := escapes.Replace(word)
	switch digits := phoneDigits(word); {
	case digits != "":
		q.and("("+like+" OR "+like+")", "% "+text+"%", "% %"+escapes.Replace(digits)+"%")
	case strings.HasPrefix(word, "@"):
		q.and(like, "%"+text+"%")
	case alone:
		q.and("("+like+" OR "+like+")", "% "+text+"%", "%@"+text+"%")
	default:
		q.and(like, "% "+text+"%")
	}
}

// phoneDigits returns the digits of text that looks like a phone, without
// leading zeros, which stand for "outside" or "long distance"; else "".
func phoneDigits(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune("+-() ./", r):
		default:
			return ""
		}
	}
	if d := strings.TrimLeft(b.String(), "0"); len(d) >= 3 {
		return d
	}
	return ""
}
