package campaign

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

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
// who comes meanwhile is on a later page, whenever the commit is. Faults: NotFound; Invalid naming "limit",
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
	if len(q.Email) > 0 {
		return page, nil
	}
	words := ""
	if q.Q != "" {
		words = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(contact.Fold(q.Q)) + "%"
	}
	if page.Total, err = q.total(r, words); err != nil {
		return page, err
	}
	if page.Recipients, err = q.page(r, words, after); err != nil {
		return page, err
	}
	if len(page.Recipients) > q.Limit {
		page.Recipients = page.Recipients[:q.Limit]
		page.Next = q.cursor(page.Recipients[q.Limit-1].place)
	}
	return page, nil
}

func (q *RecipientQuery) check() (after int64, err error) {
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

func (q *RecipientQuery) total(r store.Reader, words string) (n int64, err error) {
	if words != "" {
		where, args := q.where(words)
		err = r.QueryRow("SELECT COUNT(*) FROM campaign_recipient WHERE "+where, args...).Scan(&n)
		return n, err
	}
	pairs, err := tally(r, q.Campaign)
	for _, p := range pairs {
		if has(q.Automation, p.automation) && has(q.Portal, p.portal) {
			n += p.n
		}
	}
	return n, err
}

// has tells whether a filter lets a status through.
func has(filter []string, status string) bool {
	return len(filter) == 0 || slices.Contains(filter, status)
}

// where selects what the filters let through.
func (q *RecipientQuery) where(words string) (text string, args []any) {
	text, args = "tenant_id=? AND campaign_id=? AND merged_into IS NULL", []any{q.Campaign}
	for _, f := range []struct {
		column string
		list   []string
	}{{"automation_status", q.Automation}, {"portal_status", q.Portal}} {
		if len(f.list) == 0 {
			continue
		}
		text += " AND " + f.column + " IN (?" + strings.Repeat(",?", len(f.list)-1) + ")"
		for _, v := range f.list {
			args = append(args, v)
		}
	}
	if words != "" {
		text, args = text+` AND folded LIKE ? ESCAPE '\'`, append(args, words)
	}
	return text, args
}

// page reads one recipient more than the page holds: a walk of campaign_recipient_place,
// or, where statuses are asked for, one of campaign_recipient_list for each pair of
// them, put together. It asks for every pair that the filters let through, also for
// those that nobody has: somebody may take one while it reads.
func (q *RecipientQuery) page(r store.Reader, words string, after int64) ([]Recipient, error) {
	all := []RecipientQuery{*q}
	if len(q.Automation)+len(q.Portal) > 0 {
		all = all[:0]
		for _, a := range statuses(q.Automation, AutomationStatuses) {
			for _, p := range statuses(q.Portal, PortalStatuses) {
				all = append(all, RecipientQuery{Campaign: q.Campaign, Automation: []string{a}, Portal: []string{p}})
			}
		}
	}
	var parts []string
	var args []any
	for _, one := range all {
		where, values := one.where(words)
		parts = append(parts, "SELECT * FROM (SELECT "+recipientColumns+" FROM campaign_recipient WHERE "+where+" AND place>? ORDER BY place LIMIT ?) x")
		args = append(append(args, values...), after, q.Limit+1)
	}
	rows, err := r.Query(strings.Join(parts, " UNION ALL ")+" ORDER BY place LIMIT ?", append(args, q.Limit+1)...)
	return store.Collect(rows, err, scanRecipient)
}

// statuses are those that a filter lets through, each once; "" is one too.
func statuses(filter, known []string) []string {
	if len(filter) == 0 {
		return append([]string{""}, known...)
	}
	filter = slices.Sorted(slices.Values(filter))
	return slices.Compact(filter)
}

const cursorBytes = 8 + 8

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

// cursor is the place of the last recipient that was seen, with the sum of the filters.
func (q *RecipientQuery) cursor(place int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorBytes), uint64(place))
	return base64.RawURLEncoding.EncodeToString(append(b, q.sum()...))
}

func (q *RecipientQuery) place(text string) (place int64, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorBytes || string(b[8:]) != string(q.sum()) {
		return 0, false
	}
	place = int64(binary.BigEndian.Uint64(b))
	return place, place > 0
}
