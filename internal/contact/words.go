package contact

import (
	"slices"
	"strings"
	"unicode"

	"parley/internal/id"
	"parley/internal/store"
)

// maxWordLen is how much of a word is indexed, in characters.
const maxWordLen = 40

// split cuts folded text into words: runs of letters, digits and their marks.
func split(folded string) []string {
	words := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) })
	for i, w := range words {
		words[i] = clip(w)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func clip(w string) string {
	if len(w) > maxWordLen {
		if runes := []rune(w); len(runes) > maxWordLen {
			return string(runes[:maxWordLen])
		}
	}
	return w
}

// wordsOf returns the words by which a contact is found: those of the name, and
// "@" with the domain of every e-mail address.
func wordsOf(c Contact) []string {
	words := split(Fold(c.FirstName + " " + c.LastName))
	for _, i := range c.Identities {
		if at := strings.LastIndexByte(i.Value, '@'); i.Kind == Email && at >= 0 {
			words = append(words, clip(i.Value[at:]))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// findable is by what a contact is found.
type findable struct {
	words []string
	refs  map[string]string
	attrs []attribute
}

// foundBy must be asked before the contact is changed: changes happen in place.
func foundBy(c Contact) findable { return findable{wordsOf(c), c.Refs, attributesOf(c.Attributes)} }

// reindex writes the difference between what a contact was found by, nothing for
// a new one, and what it is found by now.
func reindex(tx *store.Tx, old findable, now Contact) error {
	next := wordsOf(now)
	gone := slices.DeleteFunc(slices.Clone(old.words), func(w string) bool { return slices.Contains(next, w) })
	refs := map[string]string{}
	for k, v := range old.refs {
		if is, has := now.Refs[k]; !has || is != v {
			refs[k] = v
		}
	}
	if err := unindex(tx, now.ID, gone, refs); err != nil {
		return err
	}
	var rows [][]any
	for _, w := range next {
		if !slices.Contains(old.words, w) {
			rows = append(rows, []any{w, now.ID})
		}
	}
	if err := putWords(tx, rows); err != nil {
		return err
	}
	rows = rows[:0]
	for k, v := range now.Refs {
		if was, had := old.refs[k]; !had || was != v {
			rows = append(rows, []any{k, v, now.ID})
		}
	}
	if err := putRefs(tx, rows); err != nil {
		return err
	}
	return reattribute(tx, now.ID, old.attrs, attributesOf(now.Attributes))
}

func putWords(tx *store.Tx, rows [][]any) error {
	_, err := store.InsertRows(tx, "contact_word (tenant_id, word, contact_id)", rows, "ON CONFLICT DO NOTHING")
	return err
}

func putRefs(tx *store.Tx, rows [][]any) error {
	_, err := store.InsertRows(tx, "contact_ref (tenant_id, name, value, contact_id)", rows, "ON CONFLICT DO NOTHING")
	return err
}

func unindex(tx *store.Tx, cid id.ID, words []string, refs map[string]string) error {
	for _, w := range words {
		if _, err := tx.Exec("DELETE FROM contact_word WHERE tenant_id=? AND word=? AND contact_id=?", w, cid); err != nil {
			return err
		}
	}
	for k, v := range refs {
		if _, err := tx.Exec("DELETE FROM contact_ref WHERE tenant_id=? AND name=? AND value=? AND contact_id=?", k, v, cid); err != nil {
			return err
		}
	}
	return nil
}
