package contact

import (
	"database/sql"
	"slices"
	"strings"
	"unicode"

	"parley/internal/id"
	"parley/internal/phone"
	"parley/internal/store"
)

// maxSearch bounds the text of a search, in characters.
const maxSearch = 200

// Candidates returns contacts that a search text finds, archived ones too, in no
// particular order: those of whose name every word of the text begins a word;
// those whose phone begins with the digits of the text, as typed or with the
// prefix of the tenant's region; those whose e-mail address, or what stands
// behind its "@", begins with the text. Case and accents do not count. At most
// limit ids are returned (0 means 1000), and more tells that there may be others.
// A text without letters and digits finds nobody. The answer comes from indexes,
// with bounded work: of a text of several words at most 20,000 contacts with the
// rarest of them are looked at, or a third of limit if that is more; when more have
// it, none are, and nobody is found by the name. Faults: Invalid naming "search".
func (s *Service) Candidates(r store.Reader, query string, limit int) (ids []id.ID, more bool, err error) {
	query, err = Line("search", query, maxSearch)
	if err != nil {
		return nil, false, err
	}
	if limit <= 0 {
		limit = 1000
	}
	f := finder{r: r, limit: limit, seen: map[id.ID]bool{}}
	if err := f.names(split(Fold(query))); err != nil {
		return nil, false, err
	}
	prefixes, err := s.phonePrefixes(r, query)
	if err != nil {
		return nil, false, err
	}
	for _, p := range prefixes {
		if err := f.identities(Phone, p); err != nil {
			return nil, false, err
		}
	}
	text := strings.ToLower(query)
	if text != "" && !strings.ContainsFunc(text, unicode.IsSpace) {
		if !strings.HasPrefix(text, "@") {
			if err := f.identities(Email, text); err != nil {
				return nil, false, err
			}
			text = "@" + text
		}
		if len(text) > 1 {
			if err := f.words(clip(text)); err != nil {
				return nil, false, err
			}
		}
	}
	return f.ids, f.more, nil
}

// finder collects the ids of a search.
type finder struct {
	r     store.Reader
	limit int
	ids   []id.ID
	seen  map[id.ID]bool
	more  bool
}

// take adds an id and reports whether there is room for another one.
func (f *finder) take(cid id.ID) bool {
	if f.seen[cid] {
		return true
	}
	if len(f.ids) == f.limit {
		f.more = true
		return false
	}
	f.seen[cid] = true
	f.ids = append(f.ids, cid)
	return true
}

// end closes the range of what begins with a text: no character is greater.
const end = "\U0010FFFF"

// lookAt is how many contacts a search of several words looks at, or a third
// of its limit; when even the rarest word has more it says that there may be more.
const lookAt = 20_000

// rows takes the ids of a query that reads at most bound rows and checks each
// with ok.
func (f *finder) rows(rows *sql.Rows, err error, bound int, ok func(*sql.Rows) (id.ID, bool, error)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		cid, fits, err := ok(rows)
		if err != nil {
			return err
		}
		if fits && !f.take(cid) {
			return nil
		}
	}
	if n == bound {
		f.more = true
	}
	return rows.Err()
}

func justID(rows *sql.Rows) (cid id.ID, ok bool, err error) { return cid, true, rows.Scan(&cid) }

// words finds what has a word that begins with prefix, by the table's own key.
// Two words of one contact may begin so.
func (f *finder) words(prefix string) error {
	bound := 4*f.limit + 4
	rows, err := f.r.Query("SELECT contact_id FROM contact_word WHERE tenant_id=? AND word>=? AND word<=? LIMIT ?", prefix, prefix+end, bound)
	return f.rows(rows, err, bound, justID)
}

// identities finds by the beginning of a phone or an e-mail, claimed or not: by
// the indexes identity_claim and identity_spare.
func (f *finder) identities(kind, prefix string) error {
	bound := 4*f.limit + 4
	const like = "SELECT contact_id FROM identity WHERE tenant_id=?1 AND kind=?2 AND value>=?3 AND value<=?4 AND "
	rows, err := f.r.Query(like+"claimed UNION ALL "+like+"NOT claimed LIMIT ?5", kind, prefix, prefix+end, bound)
	return f.rows(rows, err, bound, justID)
}

// names finds those of whose name every word given begins a word: it walks the
// contacts of the rarest and looks at their names.
func (f *finder) names(words []string) error {
	if len(words) == 0 {
		return nil
	}
	if len(words) == 1 {
		return f.words(words[0])
	}
	most := max(lookAt, f.limit/3)
	rarest, fewest := "", most+1
	for _, w := range words {
		var n int
		if err := f.r.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM contact_word WHERE tenant_id=? AND word>=? AND word<=? LIMIT ?) AS counted", w, w+end, fewest).Scan(&n); err != nil {
			return err
		}
		if n < fewest || rarest == "" {
			rarest, fewest = w, n
		}
	}
	if fewest > most {
		f.more = true
		return nil
	}
	rows, err := f.r.Query("SELECT c.id, c.first_name, c.last_name FROM (SELECT contact_id FROM contact_word WHERE tenant_id=?1 AND word>=?2 AND word<=?3 LIMIT ?4) w "+
		"JOIN contact c ON c.tenant_id=?1 AND c.id=w.contact_id", rarest, rarest+end, most)
	return f.rows(rows, err, most+1, func(rows *sql.Rows) (id.ID, bool, error) {
		var c Contact
		if err := rows.Scan(&c.ID, &c.FirstName, &c.LastName); err != nil {
			return c.ID, false, err
		}
		has := split(Fold(c.FirstName + " " + c.LastName))
		for _, w := range words {
			if !slices.ContainsFunc(has, func(h string) bool { return strings.HasPrefix(h, w) }) {
				return c.ID, false, nil
			}
		}
		return c.ID, true, nil
	})
}

// minDigits is how many digits make a phone of a search text.
const minDigits = 3

// phonePrefixes returns how the phones may begin that a text means: none when it
// does not look like one.
func (s *Service) phonePrefixes(r store.Reader, text string) ([]string, error) {
	var b strings.Builder
	for _, c := range Fold(text) { // digits of other scripts are folded by the key
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case strings.ContainsRune("+-() ./", c):
		default:
			return nil, nil
		}
	}
	digits := b.String()
	bare := strings.TrimLeft(digits, "0")
	if len(bare) < minDigits {
		return nil, nil
	}
	set, err := s.tenants.SettingsOf(r)
	if err != nil {
		return nil, err
	}
	out := []string{digits, bare}
	if !strings.HasPrefix(text, "+") && !strings.HasPrefix(digits, "00") {
		if code := phone.CountryCode(set.Region); code != "" {
			out = append(out, code+bare)
		}
	}
	if key, err := s.KeyOf(r, text); err == nil {
		out = append(out, key) // whole numbers fold
	}
	for _, d := range out {
		if d = phone.Unmarked(d); len(d) >= minDigits {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// FindByRef returns the newest contact with a reference of a name and value,
// before it one that is not archived. It walks the key of contact_ref from its
// end.
func (s *Service) FindByRef(r store.Reader, name, value string) (cid id.ID, found bool, err error) {
	const walk = "SELECT r.contact_id FROM contact_ref r JOIN contact c ON c.tenant_id=r.tenant_id AND c.id=r.contact_id " +
		"WHERE r.tenant_id=? AND r.name=? AND r.value=? AND c.archived_at IS "
	for _, archived := range []string{"NULL", "NOT NULL"} {
		if found, err = store.Found(r.QueryRow(walk+archived+" ORDER BY r.contact_id DESC LIMIT 1", name, value).Scan(&cid)); found || err != nil {
			return cid, found, err
		}
	}
	return cid, false, nil
}
