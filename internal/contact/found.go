package contact

import (
	"database/sql"
	"slices"
	"strings"
	"unicode"

	"parley/internal/id"
	"parley/internal/store"
)

// Found returns those of the contacts whom a search text finds (see Candidates), in
// the order given. It is for texts that find so many that a list in another order
// meets them soon.
func (s *Service) Found(r store.Reader, query string, ids []id.ID) ([]id.ID, error) {
	query, err := Line("search", query, maxSearch)
	if err != nil {
		return nil, err
	}
	words := split(Fold(query))
	prefixes, err := s.phonePrefixes(r, query)
	if err != nil {
		return nil, err
	}
	mail := strings.ToLower(query)
	if strings.ContainsFunc(mail, unicode.IsSpace) {
		mail = ""
	}
	has := map[id.ID]bool{}
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT id, first_name, last_name FROM contact WHERE tenant_id=? AND id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var c Contact
			if err = rows.Scan(&c.ID, &c.FirstName, &c.LastName); err == nil && named(c, words) {
				has[c.ID] = true
			}
			return
		})
		if err != nil {
			return nil, err
		}
		if mail == "" && len(prefixes) == 0 {
			continue
		}
		rows, err = r.Query("SELECT contact_id, kind, value FROM identity WHERE tenant_id=? AND contact_id IN "+in, args...)
		_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
			var cid id.ID
			var kind, value string
			if err = rows.Scan(&cid, &kind, &value); err == nil && addressed(kind, value, mail, prefixes) {
				has[cid] = true
			}
			return
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(ids), func(cid id.ID) bool { return !has[cid] }), nil
}

// named tells whether every word begins a word of a contact's name.
func named(c Contact, words []string) bool {
	has := split(Fold(c.FirstName + " " + c.LastName))
	for _, w := range words {
		if !slices.ContainsFunc(has, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(words) > 0
}

// addressed tells whether an identity begins as a search says.
func addressed(kind, value, mail string, prefixes []string) bool {
	switch kind {
	case Phone:
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(value, p) })
	case Email:
		if mail == "" {
			return false
		}
		at := strings.LastIndexByte(value, '@')
		return strings.HasPrefix(value, mail) || at >= 0 && len(strings.TrimPrefix(mail, "@")) > 0 && strings.HasPrefix(value[at+1:], strings.TrimPrefix(mail, "@"))
	}
	return false
}

// WithPhone returns the contacts that have a phone, claimed or not, by the indexes
// identity_claim and identity_spare. Formatting does not count. Invalid naming
// "phone" for what holds no digits.
func (s *Service) WithPhone(r store.Reader, raw string) ([]id.ID, error) {
	key, err := s.KeyOf(r, raw)
	if err != nil {
		return nil, err
	}
	return holding(r, Phone, key)
}

// WithEmail is WithPhone for an e-mail address. Invalid naming "email".
func (s *Service) WithEmail(r store.Reader, raw string) ([]id.ID, error) {
	mail, err := address(raw)
	if err != nil {
		return nil, err
	}
	return holding(r, Email, mail)
}

func holding(r store.Reader, kind, value string) ([]id.ID, error) {
	const from = "SELECT contact_id FROM identity WHERE tenant_id=?1 AND kind=?2 AND value=?3 AND "
	rows, err := r.Query(from+"claimed UNION ALL "+from+"NOT claimed LIMIT 1000", kind, value)
	return store.Collect(rows, err, scanID)
}
