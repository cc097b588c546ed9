package handover

import (
	"database/sql"
	"slices"
	"strconv"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const columns = "contact_id, group_id, initial_group_id, agent_id, status, held_status, label, category, archiving_reason, user_made, assigned_at, claimed_at, transferred_at, " +
	"first_contacted_at, archived_at, next_reminder, absence_sent_at, active_at, offer_agent_id, offer_until, offered, version, created_at, updated_at"

const into = "handover (tenant_id, " + columns + ")"

func scan(row interface{ Scan(...any) error }) (w Work, err error) {
	err = row.Scan(&w.Contact, &w.Group, &w.InitialGroup, &w.Agent, &w.Status, &w.held, &w.Label, &w.Category, &w.ArchivingReason, &w.UserMade,
		store.Time(&w.AssignedAt), store.Time(&w.ClaimedAt), store.Time(&w.TransferredAt), store.Time(&w.FirstContactedAt), store.Time(&w.ArchivedAt),
		store.Time(&w.NextReminder), store.Time(&w.AbsenceSentAt), store.Time(&w.ActiveAt), &w.OfferedTo, store.Time(&w.OfferUntil), store.JSON(&w.offered),
		&w.Version, store.Time(&w.CreatedAt), store.Time(&w.UpdatedAt))
	return w, err
}

func (w *Work) values() []any {
	if w.offered == nil {
		w.offered = []id.ID{}
	}
	return []any{w.Contact, w.Group, w.InitialGroup, w.Agent, w.Status, w.held, w.Label, w.Category, w.ArchivingReason, w.UserMade,
		w.AssignedAt, w.ClaimedAt, w.TransferredAt, w.FirstContactedAt, w.ArchivedAt, w.NextReminder, w.AbsenceSentAt, w.ActiveAt,
		w.OfferedTo, w.OfferUntil, store.JSON(w.offered), w.Version, w.CreatedAt, w.UpdatedAt}
}

func load(r store.Reader, cid id.ID) (w Work, found bool, err error) {
	w, err = scan(r.QueryRow("SELECT "+columns+" FROM handover WHERE tenant_id=? AND contact_id=?", cid))
	found, err = store.Found(err)
	return w, found, err
}

func collect(rows *sql.Rows, err error) ([]Work, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (Work, error) { return scan(rows) })
}

// insert writes a row and its entry of the history; the version follows those
// that the id had before.
func insert(tx *store.Tx, actor, move string, w *Work) error {
	if err := tx.QueryRow("SELECT COALESCE(MAX(version), 0)+1 FROM handover_log WHERE tenant_id=? AND contact_id=?", w.Contact).Scan(&w.Version); err != nil {
		return err
	}
	w.UpdatedAt = tx.Now()
	if _, err := store.InsertRows(tx, into, [][]any{w.values()}, ""); err != nil {
		return err
	}
	return enter(tx, actor, move, *w, w.changes(Work{}))
}

func update(tx *store.Tx, w *Work) error {
	args := append(w.values()[1:], w.Contact)
	_, err := tx.Exec("UPDATE handover SET group_id=?, initial_group_id=?, agent_id=?, status=?, held_status=?, label=?, category=?, archiving_reason=?, user_made=?, assigned_at=?, claimed_at=?, transferred_at=?, "+
		"first_contacted_at=?, archived_at=?, next_reminder=?, absence_sent_at=?, active_at=?, offer_agent_id=?, offer_until=?, offered=?, version=?, created_at=?, updated_at=? WHERE tenant_id=? AND contact_id=?", args...)
	return err
}

// touch writes ActiveAt alone: the indexes of the other columns stay as they are.
func touch(tx *store.Tx, w Work) error {
	_, err := tx.Exec("UPDATE handover SET active_at=? WHERE tenant_id=? AND contact_id=?", w.ActiveAt, w.Contact)
	return err
}

const logInto = "handover_log (tenant_id, contact_id, version, move, status, group_id, agent_id, changes, actor, at)"

func enter(tx *store.Tx, actor, move string, w Work, changes []Change) error {
	_, err := store.InsertRows(tx, logInto, [][]any{w.entry(actor, move, changes, tx.Now())}, "")
	return err
}

func (w Work) entry(actor, move string, changes []Change, at time.Time) []any {
	return []any{w.Contact, w.Version, move, w.Status, w.Group, w.Agent, store.JSON(changes), actor, at}
}

// changes tells what w has that old had not, in the words of the wire.
func (w Work) changes(old Work) []Change {
	out := []Change{}
	put := func(field, from, to string) {
		if from != to {
			out = append(out, Change{field, from, to})
		}
	}
	put("status", old.Status, w.Status)
	put("group", old.Group.String(), w.Group.String())
	put("agent", old.Agent.String(), w.Agent.String())
	put("label", old.Label, w.Label)
	put("category", old.Category, w.Category)
	put("archivingReason", old.ArchivingReason, w.ArchivingReason)
	put("nextReminder", stamp(old.NextReminder), stamp(w.NextReminder))
	put("firstContactedAt", stamp(old.FirstContactedAt), stamp(w.FirstContactedAt))
	put("sentWorkingHourMessage", stamp(old.AbsenceSentAt), stamp(w.AbsenceSentAt))
	put("offeredTo", old.OfferedTo.String(), w.OfferedTo.String())
	return out
}

// stamp writes a moment as the wire does.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Get returns who works on a contact, under any id that it ever had. NotFound
// when nobody ever inquired.
func (s *Service) Get(r store.Reader, cid id.ID) (w Work, err error) {
	found, err := s.contacts.Following(r, cid, func(at id.ID) (found bool, err error) {
		w, found, err = load(r, at)
		return found, err
	})
	if err == nil && !found {
		err = fault.Unknown("contact")
	}
	return w, err
}

// GetMany is Get for many contacts; those without work are left out. Under an old
// id stands the work of the contact that it leads to.
func (s *Service) GetMany(r store.Reader, ids []id.ID) (map[id.ID]Work, error) {
	out := make(map[id.ID]Work, len(ids))
	looked := make(map[id.ID]id.ID, len(ids)) // where each was looked for
	for missing := ids; len(missing) > 0; {
		leads, err := s.contacts.ResolveMany(r, missing)
		if err != nil {
			return nil, err
		}
		var want []id.ID
		for _, v := range missing {
			at := v
			if to, ok := leads[v]; ok {
				at = to
			}
			// The second time only where a merge, or its undoing, came in between.
			if looked[v] != at {
				looked[v], want = at, append(want, at)
			}
		}
		for part := range slices.Chunk(want, batch) {
			in, args := contact.Among(part)
			list, err := collect(r.Query("SELECT "+columns+" FROM handover WHERE tenant_id=? AND contact_id IN "+in, args...))
			if err != nil {
				return nil, err
			}
			for _, w := range list {
				out[w.Contact] = w
			}
		}
		var still []id.ID
		for _, v := range missing {
			if w, ok := out[looked[v]]; ok {
				out[v] = w
			} else if len(want) > 0 {
				still = append(still, v)
			}
		}
		missing = still
	}
	return out, nil
}

// batch bounds the rows of one query or one transaction.
const batch = 500

// History returns every move of a contact and of those that were merged into it,
// oldest first, at most limit of the newest (0: 1000). Empty for a contact without
// work.
func (s *Service) History(r store.Reader, cid id.ID, limit int) ([]Entry, error) {
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	known, err := s.contacts.Known(r, cid)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for part := range slices.Chunk(known, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT contact_id, version, move, status, group_id, agent_id, changes, actor, at FROM handover_log WHERE tenant_id=? AND contact_id IN "+in+
			" ORDER BY at DESC, contact_id DESC, version DESC LIMIT "+strconv.Itoa(limit), args...)
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (e Entry, err error) {
			return e, rows.Scan(&e.Contact, &e.Version, &e.Move, &e.Status, &e.Group, &e.Agent, store.JSON(&e.Changes), &e.Actor, store.Time(&e.At))
		})
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b Entry) int { return a.At.Compare(b.At) })
	return out[max(0, len(out)-limit):], nil
}

// Visible reports whether a contact's work lies in a group or below it; with the
// zero group, whether the contact has any.
func (s *Service) Visible(r store.Reader, cid, keyGroup id.ID) (bool, error) {
	var group id.ID
	found, err := s.contacts.Following(r, cid, func(at id.ID) (bool, error) {
		return store.Found(r.QueryRow("SELECT group_id FROM handover WHERE tenant_id=? AND contact_id=?", at).Scan(&group))
	})
	if err != nil || !found || keyGroup.IsZero() {
		return found, err
	}
	return s.agents.Within(r, keyGroup, group)
}
