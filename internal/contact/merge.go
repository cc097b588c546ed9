package contact

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// MergeIn makes one contact of several and returns it: the oldest id survives.
// It holds the locks of all of them until the commit. Identities move as they
// are claimed, those of the survivor stay primary; tags are united; of the open
// maps, names, source and agent the survivor's value stands and the other fills
// what is empty; the score is the higher one; the contact is archived only if
// all were. Timeline, notes, inquiries and consent move, where a refusal stands
// against a permission, and every Follower moves its own. Each merge of two is
// one entry of the ledger and one contact.merged with "from:<old id>". Ids that
// lead to one contact already change nothing. NotFound.
func (s *Service) MergeIn(tx *store.Tx, actor string, ids ...id.ID) (Contact, error) {
	if len(ids) == 0 {
		return Contact{}, fault.Missing("contact")
	}
	set, err := s.lockSet(tx, ids)
	if err != nil {
		return Contact{}, err
	}
	if len(set) == 1 {
		return s.Get(tx, set[0])
	}
	var survivor Contact
	for _, other := range set[1:] {
		if survivor, err = s.mergeTwo(tx, actor, set[0], other); err != nil {
			return Contact{}, err
		}
	}
	return survivor, nil
}

// lockSet locks the contacts that the ids lead to and returns them, the oldest
// first. While it waited for the locks another merge may have moved an id on:
// it looks again behind them, until nothing moves.
func (s *Service) lockSet(tx *store.Tx, ids []id.ID) ([]id.ID, error) {
	var held []id.ID
	for {
		leads, err := s.ResolveMany(tx, ids)
		if err != nil {
			return nil, err
		}
		var set []id.ID
		for _, cid := range ids {
			if to, ok := leads[cid]; ok {
				cid = to
			}
			set = append(set, cid)
		}
		slices.SortFunc(set, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		set = slices.Compact(set)
		if slices.Equal(set, held) || tx.Dialect() == store.SQLite { // there nobody else writes
			return set, s.lockRows(tx, set)
		}
		keys := make([]string, len(set))
		for i, cid := range set {
			keys[i] = cid.String()
		}
		if err := tx.Lock("contact", keys...); err != nil {
			return nil, err
		}
		held = set
	}
}

// lockRows waits for those who hold the contacts (see HoldIn). NotFound.
func (s *Service) lockRows(tx *store.Tx, set []id.ID) error {
	for part := range slices.Chunk(set, batch) {
		in, args := Among(part)
		rows, err := tx.Query("SELECT id FROM contact WHERE tenant_id=? AND erased_at IS NULL AND id IN "+in+" ORDER BY id"+tx.Dialect().ForUpdate(), args...)
		found, err := store.Collect(rows, err, scanID)
		if err != nil {
			return err
		}
		if len(found) != len(part) {
			return fault.Unknown("contact")
		}
	}
	return nil
}

// snapshot is a contact as the ledger keeps it.
type snapshot struct {
	Contact    Contact
	Identities []identityRow
	Consents   []consentRow
}

type identityRow struct {
	Identity
	CreatedAt time.Time
}

func takeSnapshot(tx *store.Tx, c Contact) (s snapshot, err error) {
	s.Contact = c
	rows, err := tx.Query("SELECT kind, value, raw, is_primary, claimed, created_at FROM identity WHERE tenant_id=? AND contact_id=? ORDER BY kind, value", c.ID)
	if s.Identities, err = store.Collect(rows, err, func(rows *sql.Rows) (i identityRow, err error) {
		return i, rows.Scan(&i.Kind, &i.Value, &i.Raw, &i.Primary, &i.Claimed, store.Time(&i.CreatedAt))
	}); err != nil {
		return s, err
	}
	s.Consents, err = consentRows(tx, c.ID)
	return s, err
}

// went is what a merge moved of this room's own rows, and of its followers'.
type went struct {
	Tags       []string
	Activities []id.ID
	Notes      []id.ID
	Inquiries  []id.ID
	Aliases    []id.ID // old ids that led to the merged contact
	Consents   []consentShift
	Rooms      []roomShift
}

// children are the tables of this room whose rows belong to a contact.
func (w *went) children() []child {
	return []child{{"activity", &w.Activities}, {"note", &w.Notes}, {"inquiry", &w.Inquiries}}
}

type child struct {
	table string
	ids   *[]id.ID
}

type roomShift struct {
	Room  string
	Moved json.RawMessage
}

func (s *Service) mergeTwo(tx *store.Tx, actor string, survivor, merged id.ID) (Contact, error) {
	m := Merge{ID: id.New(), Survivor: survivor, Merged: merged, Actor: actor}
	both, err := s.GetMany(tx, []id.ID{survivor, merged})
	if err != nil {
		return Contact{}, err
	}
	before, err := takeSnapshot(tx, both[survivor])
	if err != nil {
		return Contact{}, err
	}
	other, err := takeSnapshot(tx, both[merged])
	if err != nil {
		return Contact{}, err
	}
	var w went
	if err := moveIdentities(tx, m, before.Identities, other.Identities); err != nil {
		return Contact{}, err
	}
	c := unite(before.Contact, other.Contact)
	for _, t := range c.Tags {
		if !slices.Contains(before.Contact.Tags, t) {
			w.Tags = append(w.Tags, t)
			if _, err := insertTag(tx, c.ID, t); err != nil {
				return Contact{}, err
			}
		}
	}
	if err := unlist(tx, other.Contact); err != nil {
		return Contact{}, err
	}
	if err := s.moveRows(tx, m, &w); err != nil {
		return Contact{}, err
	}
	if w.Consents, err = s.moveConsents(tx, m, before.Consents, other.Consents); err != nil {
		return Contact{}, err
	}
	if err := update(tx, &c); err != nil {
		return Contact{}, err
	}
	if !c.CreatedAt.Equal(before.Contact.CreatedAt) {
		if err := backdate(tx, c); err != nil {
			return Contact{}, err
		}
	}
	if !c.LastContactedAt.Equal(before.Contact.LastContactedAt) {
		if err := contacted(tx, c); err != nil {
			return Contact{}, err
		}
	}
	if c, err = s.reindexed(tx, c.ID, foundBy(before.Contact)); err != nil {
		return Contact{}, err
	}
	for _, f := range s.followers {
		if f.Merge == nil {
			continue
		}
		moved, err := f.Merge(tx, m)
		if err != nil {
			return Contact{}, err
		}
		b, err := json.Marshal(moved)
		if err != nil {
			return Contact{}, err
		}
		w.Rooms = append(w.Rooms, roomShift{f.Name, b})
	}
	after, err := takeSnapshot(tx, c)
	if err != nil {
		return Contact{}, err
	}
	if _, err := tx.Exec("INSERT INTO contact_merge (tenant_id, id, survivor_id, merged_id, position, actor, survivor_before, merged_before, survivor_after, moved, merged_at) "+
		"VALUES (?1,?2,?3,?4,(SELECT COALESCE(MAX(position),0)+1 FROM contact_merge WHERE tenant_id=?1 AND survivor_id=?3),?5,?6,?7,?8,?9,?10)",
		m.ID, m.Survivor, m.Merged, m.Actor, store.JSON(before), store.JSON(other), store.JSON(after), store.JSON(w), tx.Now()); err != nil {
		return Contact{}, err
	}
	if before.Contact.Archived() && !c.Archived() {
		if err := s.append(tx, actor, "contact.unarchived", c.ID); err != nil {
			return Contact{}, err
		}
	}
	return c, s.append(tx, actor, "contact.merged", c.ID, "from:"+merged.String())
}

// unite returns the survivor with what the other contact adds, but for the
// identities.
func unite(c, other Contact) Contact {
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&c.FirstName, other.FirstName)
	fill(&c.LastName, other.LastName)
	fill(&c.AssignedTo, other.AssignedTo)
	if c.Source == "other" { // nobody said
		c.Source = other.Source
	}
	c.Refs, c.Extra, c.Attributes = fillRefs(c.Refs, other.Refs), fillOpen(c.Extra, other.Extra), fillOpen(c.Attributes, other.Attributes)
	c.Score = max(c.Score, other.Score)
	if other.LastContactedAt.After(c.LastContactedAt) {
		c.LastContactedAt = other.LastContactedAt
	}
	if other.CreatedAt.Before(c.CreatedAt) {
		c.CreatedAt = other.CreatedAt
	}
	switch {
	case !other.Archived():
		c.ArchivedAt = time.Time{}
	case c.Archived() && other.ArchivedAt.After(c.ArchivedAt):
		c.ArchivedAt = other.ArchivedAt
	}
	c.Tags = slices.Clone(c.Tags)
	for _, t := range other.Tags {
		if len(c.Tags) < maxTags && !slices.Contains(c.Tags, t) {
			c.Tags = append(c.Tags, t)
		}
	}
	slices.Sort(c.Tags)
	return c
}

// fillRefs adds what is missing, in the order of the keys, while it fits.
func fillRefs(to, from map[string]string) map[string]string {
	out := maps.Clone(to)
	for _, k := range slices.Sorted(maps.Keys(from)) {
		if _, has := out[k]; has {
			continue
		}
		out[k] = from[k]
		if checkSize("refs", out) != nil {
			delete(out, k)
		}
	}
	return out
}

// fillOpen is fillRefs for open maps.
func fillOpen(to, from map[string]any) map[string]any {
	out := maps.Clone(to)
	size := func(v any) int {
		b, _ := json.Marshal(v) // came out of the database as JSON
		return len(b)
	}
	have := size(out)
	for _, k := range slices.Sorted(maps.Keys(from)) {
		if _, has := out[k]; has {
			continue
		}
		if more := size(map[string]any{k: from[k]}); have+more <= maxJSON {
			out[k] = from[k]
			have += more
		}
	}
	return out
}

// moveIdentities gives the merged contact's identities to the survivor, in place,
// so that a claimed value is claimed at every moment. An address that both have
// becomes one row, claimed if either was.
func moveIdentities(tx *store.Tx, m Merge, own, others []identityRow) error {
	primary := map[string]bool{}
	for _, i := range own {
		primary[i.Kind] = primary[i.Kind] || i.Primary
	}
	for _, i := range others {
		at := slices.IndexFunc(own, func(o identityRow) bool { return o.Kind == i.Kind && o.Value == i.Value })
		if at < 0 {
			if _, err := tx.Exec("UPDATE identity SET contact_id=?, is_primary=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?",
				m.Survivor, i.Primary && !primary[i.Kind], m.Merged, i.Kind, i.Value); err != nil {
				return err
			}
			continue
		}
		if err := dropRow(tx, m.Merged, i.Identity); err != nil {
			return err
		}
		if i.Claimed && !own[at].Claimed {
			if _, err := tx.Exec("UPDATE identity SET claimed=? WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", true, m.Survivor, i.Kind, i.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func dropRow(tx *store.Tx, cid id.ID, i Identity) error {
	_, err := tx.Exec("DELETE FROM identity WHERE tenant_id=? AND contact_id=? AND kind=? AND value=?", cid, i.Kind, i.Value)
	return err
}

// unlist takes a contact's own row, its tags and its places in the indexes away.
func unlist(tx *store.Tx, c Contact) error {
	if err := unindex(tx, c.ID, wordsOf(c), c.Refs); err != nil {
		return err
	}
	if err := reattribute(tx, c.ID, attributesOf(c.Attributes), nil); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM contact_tag WHERE tenant_id=? AND contact_id=?", c.ID); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM contact WHERE tenant_id=? AND id=?", c.ID)
	return err
}

// moveRows moves the rows that lie below the merged contact, and where its old
// ids lead.
func (s *Service) moveRows(tx *store.Tx, m Merge, w *went) error {
	for _, child := range w.children() {
		rows, err := tx.Query("SELECT id FROM "+child.table+" WHERE tenant_id=? AND contact_id=?", m.Merged)
		if *child.ids, err = store.Collect(rows, err, scanID); err != nil {
			return err
		}
		if len(*child.ids) == 0 {
			continue
		}
		if _, err := tx.Exec("UPDATE "+child.table+" SET contact_id=? WHERE tenant_id=? AND contact_id=?", m.Survivor, m.Merged); err != nil {
			return err
		}
	}
	rows, err := tx.Query("SELECT old_id FROM contact_alias WHERE tenant_id=? AND contact_id=?", m.Merged)
	if w.Aliases, err = store.Collect(rows, err, scanID); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE contact_alias SET contact_id=? WHERE tenant_id=? AND contact_id=?", m.Survivor, m.Merged); err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO contact_alias (tenant_id, old_id, contact_id) VALUES (?,?,?)", m.Merged, m.Survivor)
	return err
}

// rewrite is update for all that a merge changes.
func rewrite(tx *store.Tx, c *Contact) error {
	if err := update(tx, c); err != nil {
		return err
	}
	if err := contacted(tx, *c); err != nil {
		return err
	}
	return backdate(tx, *c)
}

func backdate(tx *store.Tx, c Contact) error {
	_, err := tx.Exec("UPDATE contact SET created_at=? WHERE tenant_id=? AND id=?", c.CreatedAt, c.ID)
	return err
}

// reindexed reads a contact whose rows were rewritten, and brings its folded text
// and its words and references up to date with what they were made of before.
func (s *Service) reindexed(tx *store.Tx, cid id.ID, before findable) (Contact, error) {
	c, err := s.Get(tx, cid)
	if err != nil {
		return c, err
	}
	if _, err := tx.Exec("UPDATE contact SET search_name=? WHERE tenant_id=? AND id=?", searchName(&c), cid); err != nil {
		return c, err
	}
	return c, reindex(tx, before, c)
}
