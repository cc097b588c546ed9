package event

import (
	"parley/internal/store"
)

// wordy are the events whose Changed may hold words from outside, as the index
// event_words lists them to the letter.
const wordy = "type IN ('contact.tag_added', 'contact.tag_removed', 'contact.updated')"

// ForgetIn takes what changed out of at most limit events of people, tags and names
// of fields, and returns how many it took it out of. in writes placeholders for
// the people, whose values are people.
func ForgetIn(tx *store.Tx, in string, people []any, limit int) (int, error) {
	n, err := tx.Exec("UPDATE event SET changed=NULL WHERE tenant_id=?1 AND seq IN (SELECT seq FROM event WHERE tenant_id=?1 AND contact_id IN "+in+
		" AND changed IS NOT NULL AND "+wordy+" LIMIT ?)", append(append([]any(nil), people...), limit)...)
	return int(n), err
}
