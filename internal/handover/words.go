package handover

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Kinds of vocabularies.
const (
	Labels     = "labels"
	Reasons    = "archiving-reasons"
	Categories = "categories"
	Industries = "industries"
)

const (
	maxWord  = 100 // characters
	maxWords = 500
)

// Word is an entry of a vocabulary.
type Word struct {
	Key  string
	Name string // what people read; the key when not given
	// Snooze, of an archiving reason, means that the work only waits for
	// something (reference §4.2).
	Snooze bool
}

// stock are the vocabularies of a tenant that set none (reference §3.2, §4.2).
var stock = map[string][]Word{
	Labels: {{Key: "cold", Name: "Cold"}, {Key: "warm", Name: "Warm"}, {Key: "hot", Name: "Hot"}},
	Reasons: {{Key: ReasonInactive, Name: "Inactive"}, {Key: "converted", Name: "Converted"}, {Key: "campaignConversion", Name: "Converted by a campaign"},
		{Key: "notInterested", Name: "Not interested"}, {Key: "wrongContact", Name: "Wrong contact"},
		{Key: "waitingForReminder", Name: "Waiting for a reminder", Snooze: true}, {Key: "waitingForVisit", Name: "Waiting for a visit", Snooze: true}},
	Categories: {{Key: "general", Name: "General"}},
	Industries: {{Key: "retail", Name: "Retail"}, {Key: "insurance", Name: "Insurance"}, {Key: "vehicle", Name: "Vehicles"},
		{Key: "savingPlan", Name: "Saving plans"}, {Key: "realEstate", Name: "Real estate"}},
}

// Words returns a vocabulary of the tenant, in the tenant's order. Invalid naming
// "kind" for one that does not exist.
func (s *Service) Words(r store.Reader, kind string) ([]Word, error) {
	if _, ok := stock[kind]; !ok {
		return nil, unknownKind()
	}
	rows, err := r.Query("SELECT word, name, snooze FROM handover_word WHERE tenant_id=? AND kind=? ORDER BY position", kind)
	list, err := store.Collect(rows, err, func(rows *sql.Rows) (w Word, err error) { return w, rows.Scan(&w.Key, &w.Name, &w.Snooze) })
	if err == nil && len(list) == 0 {
		list = slices.Clone(stock[kind])
	}
	return list, err
}

func unknownKind() error {
	return fault.Field("kind", "the vocabularies are labels, archiving-reasons, categories and industries")
}

// SetWords replaces a vocabulary and appends handover.vocabulary with its kind; an
// empty one brings the stock back. Contacts keep the words that they have. Faults:
// Invalid naming "kind", or "<kind>[<n>].key" or ".name".
func (s *Service) SetWords(ctx context.Context, tenant id.ID, actor, kind string, words []Word) ([]Word, error) {
	if _, ok := stock[kind]; !ok {
		return nil, unknownKind()
	}
	if len(words) > maxWords {
		return nil, fault.Field(kind, "%s hold at most %d entries", kind, maxWords)
	}
	words = slices.Clone(words)
	seen := map[string]bool{}
	var bad fault.Collector
	for i := range words {
		w, at := &words[i], fmt.Sprintf("%s[%d]", kind, i)
		var err error
		w.Key, err = contact.Line(at+".key", w.Key, maxWord)
		bad.Add(err)
		if err == nil && w.Key == "" {
			bad.Add(fault.Missing(at + ".key"))
		}
		if seen[w.Key] && w.Key != "" {
			bad.Add(fault.Field(at+".key", "the key %s is listed twice", w.Key))
		}
		seen[w.Key] = true
		w.Name, err = contact.Line(at+".name", w.Name, 200)
		bad.Add(err)
		if w.Name == "" {
			w.Name = w.Key
		}
		w.Snooze = w.Snooze && kind == Reasons
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) ([]Word, error) {
		if err := tx.Lock("handover_word", kind); err != nil {
			return nil, err
		}
		s.usual.Forget(tx)
		if _, err := tx.Exec("DELETE FROM handover_word WHERE tenant_id=? AND kind=?", kind); err != nil {
			return nil, err
		}
		rows := make([][]any, len(words))
		for i, w := range words {
			rows[i] = []any{kind, w.Key, w.Name, w.Snooze, i}
		}
		if _, err := store.InsertRows(tx, "handover_word (tenant_id, kind, word, name, snooze, position)", rows, ""); err != nil {
			return nil, err
		}
		if _, err := s.log.Append(tx, event.New{Type: "handover.vocabulary", Subject: tx.Tenant(), Changed: []string{kind}, Actor: actor}); err != nil {
			return nil, err
		}
		return s.Words(tx, kind)
	})
}

// mustKnow complains of a word that is not in a vocabulary.
func (s *Service) mustKnow(r store.Reader, kind, field, word string) error {
	list, err := s.Words(r, kind)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(w Word) bool { return w.Key == word }) {
		return nil
	}
	if word == "" {
		return fault.Missing(field)
	}
	return fault.Field(field, "%s must be one of the %s of this account", field, strings.ReplaceAll(kind, "-", " "))
}

// defaultCategory is the tenant's first category. Every new contact asks for it.
func (s *Service) defaultCategory(tx *store.Tx) (string, error) {
	key, _, err := s.usual.Get(tx, func() (string, bool, error) {
		list, err := s.Words(tx, Categories)
		if err != nil {
			return "", false, err
		}
		return list[0].Key, true, nil
	})
	return key, err
}
