package contact

import (
	"database/sql"
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

const columns = "id, first_name, last_name, source, assigned_to, refs, extra, attributes, score, last_contacted_at, archived_at, erased_at, created_at, updated_at"

func scan(rows *sql.Rows) (Contact, error) {
	c := Contact{Tags: []string{}, Refs: map[string]string{}, Extra: map[string]any{}, Attributes: map[string]any{}}
	err := rows.Scan(&c.ID, &c.FirstName, &c.LastName, &c.Source, store.Text(&c.AssignedTo), store.JSON(&c.Refs), store.JSON(&c.Extra), store.JSON(&c.Attributes),
		&c.Score, store.Time(&c.LastContactedAt), store.Time(&c.ArchivedAt), store.Time(&c.ErasedAt), store.Time(&c.CreatedAt), store.Time(&c.UpdatedAt))
	return c, err
}

// Among writes placeholders for a list of ids, rounded up to a power of two so
// that few statements are prepared, and returns their values; the last id
// fills the rest. The list must not be empty.
func Among(ids []id.ID) (in string, args []any) {
	n := 1
	for n < len(ids) {
		n *= 2
	}
	args = make([]any, n)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return places(n), args
}

func places(n int) string { return "(?" + strings.Repeat(",?", n-1) + ")" }

// Get returns a contact, archived ones too. NotFound for an id that the tenant
// does not have, or whose person was erased.
func (s *Service) Get(r store.Reader, cid id.ID) (Contact, error) {
	m, err := s.GetMany(r, []id.ID{cid})
	if err != nil {
		return Contact{}, err
	}
	c, ok := m[cid]
	if !ok {
		return Contact{}, fault.Unknown("contact")
	}
	return c, nil
}

// batch bounds the ids of one query.
const batch = 512

// GetMany returns the contacts of the given ids by three queries for up to 512;
// unknown ids are left out. Under an old id stands the contact it leads to, with
// an ID of its own.
func (s *Service) GetMany(r store.Reader, ids []id.ID) (map[id.ID]Contact, error) {
	out := make(map[id.ID]Contact, len(ids))
	for part := range slices.Chunk(ids, batch) {
		if err := load(r, part, out); err != nil {
			return nil, err
		}
	}
	var missing []id.ID
	for _, cid := range ids {
		if _, ok := out[cid]; !ok {
			missing = append(missing, cid)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	leads, err := s.ResolveMany(r, missing)
	if err != nil {
		return nil, err
	}
	// Missing ones are looked for again as well: an unmerge may have brought them
	// back between the two looks.
	again := make([]id.ID, 0, len(missing))
	for _, cid := range missing {
		if to, ok := leads[cid]; ok {
			again = append(again, to)
		} else {
			again = append(again, cid)
		}
	}
	found := make(map[id.ID]Contact, len(again))
	for part := range slices.Chunk(again, batch) {
		if err := load(r, part, found); err != nil {
			return nil, err
		}
	}
	for i, cid := range missing {
		if c, ok := found[again[i]]; ok {
			out[cid] = c
		}
	}
	return out, nil
}

func load(r store.Reader, ids []id.ID, out map[id.ID]Contact) error {
	in, args := Among(ids)
	rows, err := r.Query("SELECT "+columns+" FROM contact WHERE tenant_id=? AND erased_at IS NULL AND id IN "+in, args...)
	list, err := store.Collect(rows, err, scan)
	if err != nil || len(list) == 0 {
		return err
	}
	at := make(map[id.ID]*Contact, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
	}
	rows, err = r.Query("SELECT contact_id, kind, value, raw, is_primary, claimed FROM identity WHERE tenant_id=? AND contact_id IN "+in, args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var c id.ID
		var i Identity
		if err = rows.Scan(&c, &i.Kind, &i.Value, &i.Raw, &i.Primary, &i.Claimed); err == nil && at[c] != nil {
			at[c].Identities = append(at[c].Identities, i)
		}
		return
	})
	if err != nil {
		return err
	}
	for i := range list { // sorted here, a thousand contacts cost the databases more
		list[i].arrange()
	}
	rows, err = r.Query("SELECT contact_id, tag FROM contact_tag WHERE tenant_id=? AND contact_id IN "+in+" ORDER BY contact_id, tag", args...)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var c id.ID
		var tag string
		if err = rows.Scan(&c, &tag); err == nil && at[c] != nil {
			at[c].Tags = append(at[c].Tags, tag)
		}
		return
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		out[c.ID] = c
	}
	return nil
}

// Find returns the contact who claims an identity, archived ones too. The value
// is normalised already: KeyOf for a phone, lower case for an e-mail.
func (s *Service) Find(r store.Reader, kind, value string) (Contact, bool, error) {
	holder, err := claimant(r, kind, value)
	if err != nil || holder.IsZero() {
		return Contact{}, false, err
	}
	c, err := s.Get(r, holder)
	return c, err == nil, err
}

// claimant returns who claims an identity, the zero id when nobody does.
func claimant(r store.Reader, kind, value string) (id.ID, error) {
	var holder id.ID
	if value == "" {
		return holder, nil
	}
	_, err := store.Found(r.QueryRow("SELECT contact_id FROM identity WHERE tenant_id=? AND kind=? AND value=? AND claimed", kind, value).Scan(&holder))
	return holder, err
}

// LockIn takes the locks of several people at once, by phone keys and e-mail
// addresses, so that a transaction that touches many of them cannot wait for
// another one in a circle. Single calls need no LockIn.
func (s *Service) LockIn(tx *store.Tx, phones, emails []string) error {
	var keys []string
	for _, p := range phones {
		keys = append(keys, lockKeys(p, "")...)
	}
	for _, e := range emails {
		keys = append(keys, lockKeys("", strings.ToLower(strings.TrimSpace(e)))...)
	}
	return tx.Lock("identity", keys...)
}

func lockKeys(phone, email string) []string {
	var keys []string
	if phone != "" {
		keys = append(keys, Phone+":"+phone)
	}
	if email != "" {
		keys = append(keys, Email+":"+email)
	}
	return keys
}

// claim stores an identity as claimed and reports whether nobody else had it.
func claim(tx *store.Tx, cid id.ID, i Identity) (bool, error) {
	n, err := tx.Exec("INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
		cid, i.Kind, i.Value, i.Raw, i.Primary, true, tx.Now())
	return n == 1, err
}

// keep stores an identity that somebody else claims.
func keep(tx *store.Tx, cid id.ID, i Identity) error {
	_, err := tx.Exec("INSERT INTO identity (tenant_id, contact_id, kind, value, raw, is_primary, claimed, created_at) VALUES (?,?,?,?,?,?,?,?)",
		cid, i.Kind, i.Value, i.Raw, i.Primary, false, tx.Now())
	return err
}

func insert(tx *store.Tx, c *Contact) error {
	if _, err := tx.Exec("INSERT INTO contact (tenant_id, id, first_name, last_name, search_name, source, assigned_to, refs, extra, attributes, score, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
		c.ID, c.FirstName, c.LastName, searchName(c), c.Source, store.NullText(c.AssignedTo), store.JSON(c.Refs), store.JSON(c.Extra), store.JSON(c.Attributes),
		c.Score, c.CreatedAt, c.UpdatedAt); err != nil {
		return err
	}
	for _, t := range c.Tags {
		if _, err := insertTag(tx, c.ID, t); err != nil {
			return err
		}
	}
	return reindex(tx, findable{}, *c)
}

func insertTag(tx *store.Tx, cid id.ID, tag string) (bool, error) {
	n, err := tx.Exec("INSERT INTO contact_tag (tenant_id, contact_id, tag, created_at) VALUES (?,?,?,?) ON CONFLICT DO NOTHING", cid, tag, tx.Now())
	return n == 1, err
}

// update writes a contact's own row, but for when it was contacted last: whoever says
// that to somebody has no lock of the contact (see TouchIn and contacted).
func update(tx *store.Tx, c *Contact) error {
	c.UpdatedAt = tx.Now()
	_, err := tx.Exec("UPDATE contact SET first_name=?, last_name=?, search_name=?, source=?, assigned_to=?, refs=?, extra=?, attributes=?, score=?, archived_at=?, updated_at=? WHERE tenant_id=? AND id=?",
		c.FirstName, c.LastName, searchName(c), c.Source, store.NullText(c.AssignedTo), store.JSON(c.Refs), store.JSON(c.Extra), store.JSON(c.Attributes),
		c.Score, c.ArchivedAt, c.UpdatedAt, c.ID)
	return err
}

// contacted writes when a contact was contacted last.
func contacted(tx *store.Tx, c Contact) error {
	_, err := tx.Exec("UPDATE contact SET last_contacted_at=? WHERE tenant_id=? AND id=?", c.LastContactedAt, c.ID)
	return err
}

// searchName is the folded text that a search looks into: names, and every
// phone and e-mail address.
func searchName(c *Contact) string {
	parts := []string{c.FirstName, c.LastName}
	for _, i := range c.Identities {
		parts = append(parts, i.Value)
	}
	return Fold(strings.Join(parts, " "))
}
