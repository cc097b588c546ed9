package contact

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Inquiry is one time that a person came to us: a form, a portal's lead, a click
// on an ad. The contact is who they are, the inquiry what they wanted then.
type Inquiry struct {
	ID      id.ID
	Contact id.ID
	Face    string // the API it came through: "platform", "sales" ...
	Kind    string // "form", "lead", "trigger" ...
	Source  string
	Data    map[string]any
	Key     string    // the same key is the same inquiry; "" is never the same
	At      time.Time // zero: now
}

// AddInquiryIn keeps an inquiry and returns it with its id; created is false when
// the tenant has one with the same Key already, which is returned as it is. A new
// one appends inquiry.created. Faults: NotFound; Invalid naming "face", "kind",
// "source", "data" or "key".
func (s *Service) AddInquiryIn(tx *store.Tx, actor string, q Inquiry) (_ Inquiry, created bool, err error) {
	if err := q.check(tx); err != nil {
		return q, false, err
	}
	if q.Contact, err = s.HoldIn(tx, q.Contact); err != nil {
		return q, false, err
	}
	q.ID = id.New()
	n, err := tx.Exec("INSERT INTO inquiry (tenant_id, id, contact_id, face, kind, source, data, dedupe_key, at, created_at) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
		q.ID, q.Contact, q.Face, q.Kind, q.Source, store.JSON(q.Data), store.NullText(q.Key), q.At, tx.Now())
	if err != nil {
		return q, false, err
	}
	if n == 0 {
		rows, err := tx.Query("SELECT "+inquiryColumns+" FROM inquiry WHERE tenant_id=? AND dedupe_key=?", q.Key)
		list, err := store.Collect(rows, err, scanInquiry)
		if err == nil && len(list) == 0 {
			err = fault.New(fault.Unavailable, "the same inquiry is being stored at this moment; try again")
		}
		if err != nil {
			return q, false, err
		}
		return list[0], false, nil
	}
	_, err = s.log.Append(tx, event.New{Type: "inquiry.created", Subject: q.ID, Contact: q.Contact, Actor: actor})
	return q, true, err
}

// AddInquiryHeldIn is AddInquiryIn for a caller that holds the contact's lock and
// has no Key: it keeps the inquiry in one statement and returns its event for the
// caller to append.
func (s *Service) AddInquiryHeldIn(tx *store.Tx, actor string, q Inquiry) (Inquiry, event.New, error) {
	if err := q.check(tx); err != nil {
		return q, event.New{}, err
	}
	q.ID = id.New()
	_, err := tx.Exec("INSERT INTO inquiry (tenant_id, id, contact_id, face, kind, source, data, at, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
		q.ID, q.Contact, q.Face, q.Kind, q.Source, store.JSON(q.Data), q.At, tx.Now())
	return q, event.New{Type: "inquiry.created", Subject: q.ID, Contact: q.Contact, Actor: actor}, err
}

// check checks an inquiry's words and says when it was.
func (q *Inquiry) check(tx *store.Tx) (err error) {
	var bad fault.Collector
	line := func(field string, v *string, max int) {
		got, err := Line(field, *v, max)
		bad.Add(err)
		*v = got
	}
	line("face", &q.Face, maxTag)
	line("kind", &q.Kind, maxTag)
	line("source", &q.Source, maxWord)
	line("key", &q.Key, maxRef)
	if q.Kind == "" {
		bad.Add(fault.Missing("kind"))
	}
	q.Data, err = checkOpen("data", q.Data)
	bad.Add(err)
	if err := bad.Err(); err != nil {
		return err
	}
	if q.At.IsZero() {
		q.At = tx.Now()
	}
	return nil
}

const inquiryColumns = "id, contact_id, face, kind, source, data, dedupe_key, at"

func scanInquiry(rows *sql.Rows) (Inquiry, error) {
	q := Inquiry{Data: map[string]any{}}
	err := rows.Scan(&q.ID, &q.Contact, &q.Face, &q.Kind, &q.Source, store.JSON(&q.Data), store.Text(&q.Key), store.Time(&q.At))
	return q, err
}

// Inquiries returns a page of a contact's inquiries, newest first, and how many
// there are, as Timeline counts. NotFound.
func (s *Service) Inquiries(ctx context.Context, tenant, cid id.ID, page, limit int) ([]Inquiry, int, error) {
	return below(s.db.Read(ctx, tenant), cid, page, limit, "inquiry", inquiryColumns, "at DESC, id DESC", scanInquiry)
}

// InquiredAt returns when a contact inquired last, zero when it never did. The id
// is the one that the contact has now.
func (s *Service) InquiredAt(r store.Reader, cid id.ID) (at time.Time, err error) {
	return at, r.QueryRow("SELECT MAX(at) FROM inquiry WHERE tenant_id=? AND contact_id=?", cid).Scan(store.Time(&at))
}

// MaxInquiries is how many of a contact's inquiries InquiriesOf returns.
const MaxInquiries = 1000

// InquiriesOf returns the inquiries of contacts, each contact's oldest first and
// at most its newest 1000, by one query for up to 512 contacts. It walks the index
// inquiry_by_contact. The ids are those that contacts have now.
func (s *Service) InquiriesOf(r store.Reader, ids []id.ID) (map[id.ID][]Inquiry, error) {
	out := make(map[id.ID][]Inquiry, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := Among(part)
		rows, err := r.Query("SELECT "+inquiryColumns+" FROM (SELECT "+inquiryColumns+", ROW_NUMBER() OVER (PARTITION BY contact_id ORDER BY at DESC, id DESC) AS n "+
			"FROM inquiry WHERE tenant_id=? AND contact_id IN "+in+") AS newest WHERE n<="+strconv.Itoa(MaxInquiries)+" ORDER BY contact_id, at, id", args...)
		list, err := store.Collect(rows, err, scanInquiry)
		if err != nil {
			return nil, err
		}
		for _, q := range list {
			out[q.Contact] = append(out[q.Contact], q)
		}
	}
	return out, nil
}
