package conversation

import (
	"database/sql"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// Windows returns for each contact the end of the free-reply window on each
// kind of channel whose window is open now (sales reference §4.9). A contact
// who wrote on several conversations of one kind has the latest end; one whose
// windows are all closed, and a channel that knows no window, are left out.
// Contacts are given by the ids they have now (see contact.ResolveMany).
func (s *Service) Windows(r store.Reader, contacts []id.ID) (map[id.ID]map[string]time.Time, error) {
	out := map[id.ID]map[string]time.Time{}
	longest := time.Duration(0)
	for _, c := range s.channels {
		longest = max(longest, c.Capabilities().ReplyWindow)
	}
	if longest == 0 {
		return out, nil
	}
	type last struct {
		contact id.ID
		kind    string
		at      time.Time
	}
	for len(contacts) > 0 {
		part := contacts[:min(len(contacts), 500)]
		contacts = contacts[len(part):]
		args := make([]any, 0, len(part)+1)
		for _, c := range part {
			args = append(args, c)
		}
		// Behind the index conversation_by_contact.
		rows, err := r.Query(`SELECT contact_id, channel, MAX(last_inbound_at) FROM conversation
			WHERE tenant_id=? AND contact_id IN (`+places(len(part))+`) AND last_inbound_at>? GROUP BY contact_id, channel`,
			append(args, r.Now().Add(-longest))...)
		found, err := store.Collect(rows, err, func(rows *sql.Rows) (l last, err error) {
			err = rows.Scan(&l.contact, &l.kind, store.Time(&l.at))
			return l, err
		})
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			end := l.at.Add(s.capabilities(l.kind).ReplyWindow)
			if !end.After(r.Now()) {
				continue
			}
			if out[l.contact] == nil {
				out[l.contact] = map[string]time.Time{}
			}
			out[l.contact][l.kind] = end
		}
	}
	return out, nil
}
