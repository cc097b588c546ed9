package campaign

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// RecipientQuery selects recipients; empty members select nothing out, and all of them
// must hold.
type RecipientQuery struct {
	Campaign   id.ID
	Q          string // in the title, whatever the case and the accents
	Automation []string
	Portal     []string
	// Email are statuses of an e-mail. No recipient has one as long as there is no
	// e-mail channel.
	Email []string
	Limit int    // 1 to MaxPage
	Next  string // of the page before
}

// RecipientPage is a page in the order in which they came.
type RecipientPage struct {
	Recipients []Recipient
	Next       string // "" on the last page
	Total      int64  // of all pages
}

// MaxPage is how many recipients a page holds at most (reference §6.19), DefaultPage
// unless asked.
const (
	MaxPage     = 1000
	DefaultPage = 25
	maxQuery    = 200 // characters of Q
)

// pair is a pair of statuses with the number of recipients that have it.
type pair struct {
	automation, portal string
	n                  int64
}

func scanPair(rows *sql.Rows) (p pair, err error) {
	return p, rows.Scan(&p.automation, &p.portal, &p.n)
}

// tally counts a campaign's recipients by their statuses.
func tally(r store.Reader, cid id.ID) ([]pair, error) {
	rows, err := r.Query("SELECT automation_status, portal_status, CAST(SUM(recipients) AS BIGINT) FROM campaign_tally WHERE tenant_id=? AND campaign_id=? GROUP BY automation_status, portal_status HAVING SUM(recipients)<>0 ORDER BY 1, 2", cid)
	return store.Collect(rows, err, scanPair)
}

// Recipients lists a campaign's recipients, those who came first before the others:
// who comes meanwhile is on the last page. Faults: NotFound; Invalid naming "limit",
// "q", "automation_status", "portal_status", "email_status", or "next" for a cursor of other filters.
func (s *Service) Recipients(r store.Reader, q RecipientQuery) (RecipientPage, error) {
	page := RecipientPage{Recipients: []Recipient{}}
	after, err := q.check()
	if err != nil {
		return page, err
	}
	if _, err := read(r, q.Campaign, ""); err != nil {
		return page, err
	}
	pairs, err := tally(r, q.Campaign)
	if err != nil {
		return page, err
	}
	pairs = slices.DeleteFunc(pairs, func(p pair) bool {
		return len(q.Automation) > 0 && !slices.Contains(q.Automation, p.automation) || len(q.Portal) > 0 && !slices.Contains(q.Portal, p.portal)
	})
	if len(pairs) == 0 || len(q.Email) > 0 {
		return page, nil
	}
	words := ""
	if q.Q != "" {
		words = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(contact.Fold(q.Q)) + "%"
	}
	if page.Total, err = q.total(r, pairs, words); err != nil {
		return page, err
	}
	if page.Recipients, err = q.page(r, pairs, words, after); err != nil {
		return page, err
	}
	if len(page.Recipients) > q.Limit {
		page.Recipients = page.Recipients[:q.Limit]
		last := page.Recipients[q.Limit-1]
		page.Next = q.cursor(place{last.CreatedAt, last.Entity})
	}
	return page, nil
}

func (q *RecipientQuery) check() (after place, err error) {
	var bad fault.Collector
	if q.Limit < 1 || q.Limit > MaxPage {
		bad.Add(fault.Field("limit", "limit must be between 1 and %d", MaxPage))
	}
	if len([]rune(q.Q)) > maxQuery {
		bad.Add(fault.Field("q", "q may have at most %d characters", maxQuery))
	}
	for _, f := range []struct {
		name     string
		of, list []string
	}{{"automation_status", AutomationStatuses, q.Automation}, {"portal_status", PortalStatuses, q.Portal},
		{"email_status", EmailStatuses, q.Email}} {
		for _, v := range f.list {
			bad.Add(oneOf(f.name, v, f.of))
		}
	}
	if err := bad.Err(); err != nil {
		return after, err
	}
	if q.Next == "" {
		return after, nil
	}
	after, ok := q.place(q.Next)
	if !ok {
		return after, fault.Field("next", "next is no cursor of this list; send the next of the page before with the same filters")
	}
	return after, nil
}

func (q *RecipientQuery) total(r store.Reader, pairs []pair, words string) (n int64, err error) {
	if words == "" {
		for _, p := range pairs {
			n += p.n
		}
		return n, nil
	}
	var in []string
	args := []any{q.Campaign, words}
	for _, p := range pairs {
		in, args = append(in, "(?,?)"), append(args, p.automation, p.portal)
	}
	err = r.QueryRow("SELECT COUNT(*) FROM campaign_recipient WHERE tenant_id=? AND campaign_id=? AND merged_into IS NULL AND folded LIKE ? ESCAPE '\\' AND (automation_status, portal_status) IN (VALUES "+
		strings.Join(in, ",")+")", args...).Scan(&n)
	return n, err
}

// page reads one recipient more than the page holds: one walk of
// campaign_recipient_list for each pair, put together.
func (q *RecipientQuery) page(r store.Reader, pairs []pair, words string, after place) ([]Recipient, error) {
	var parts []string
	var args []any
	for _, p := range pairs {
		part := "SELECT " + recipientColumns + " FROM campaign_recipient WHERE tenant_id=? AND campaign_id=? AND merged_into IS NULL AND automation_status=? AND portal_status=?"
		args = append(args, q.Campaign, p.automation, p.portal)
		if !after.at.IsZero() {
			part, args = part+" AND (created_at, entity_id) > (?,?)", append(args, after.at, after.entity.String())
		}
		if words != "" {
			part, args = part+` AND folded LIKE ? ESCAPE '\'`, append(args, words)
		}
		parts = append(parts, "SELECT * FROM ("+part+" ORDER BY created_at, entity_id LIMIT ?) x")
		args = append(args, q.Limit+1)
	}
	rows, err := r.Query(strings.Join(parts, " UNION ALL ")+" ORDER BY created_at, entity_id LIMIT ?", append(args, q.Limit+1)...)
	return store.Collect(rows, err, scanRecipient)
}

// place is where a recipient stands in the list.
type place struct {
	at     time.Time
	entity id.ID
}

const cursorBytes = 8 + 12 + 8

// sum stands for the filters of a query.
func (q *RecipientQuery) sum() []byte {
	h := sha256.New()
	list := func(v []string) string {
		v = slices.Clone(v)
		slices.Sort(v)
		return strings.Join(slices.Compact(v), ",")
	}
	h.Write([]byte(strings.Join([]string{q.Campaign.String(), contact.Fold(q.Q), list(q.Automation), list(q.Portal), list(q.Email)}, "\x00")))
	return h.Sum(nil)[:8]
}

func (q *RecipientQuery) cursor(p place) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorBytes), uint64(p.at.UnixMilli()))
	b = append(append(b, p.entity[:]...), q.sum()...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (q *RecipientQuery) place(text string) (p place, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorBytes || string(b[20:]) != string(q.sum()) {
		return p, false
	}
	p.at = time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
	copy(p.entity[:], b[8:20])
	return p, !p.at.IsZero()
}
