package conversation

import (
	"cmp"
	"database/sql"
	"slices"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Spoken is a message as a measure of time sees it.
type Spoken struct {
	Contact id.ID
	Inbound bool
	SentBy  string // see Message.SentBy
	At      time.Time
}

// SpokenSince returns the messages of contacts since a moment, by contact and then
// the oldest first, without those that never left. Contacts are given by the ids
// they have now. It reads behind the indexes conversation_by_contact and
// message_by_conversation.
func SpokenSince(r store.Reader, contacts []id.ID, since time.Time) ([]Spoken, error) {
	var out []Spoken
	for part := range slices.Chunk(contacts, 500) {
		args := make([]any, 0, len(part)+1)
		for _, c := range part {
			args = append(args, c)
		}
		rows, err := r.Query("SELECT c.contact_id, m.direction, m.sent_by, m.created_at FROM conversation c JOIN message m ON m.tenant_id=c.tenant_id AND m.conversation_id=c.id "+
			"WHERE c.tenant_id=? AND c.contact_id IN ("+places(len(part))+") AND m.created_at>=? AND m.status<>'failed'", append(args, since)...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (x Spoken, err error) {
			var direction string
			err = rows.Scan(&x.Contact, &direction, &x.SentBy, store.Time(&x.At))
			x.Inbound = direction == Inbound
			return x, err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b Spoken) int {
		return cmp.Or(cmp.Compare(a.Contact.String(), b.Contact.String()), a.At.Compare(b.At))
	})
	return out, nil
}
