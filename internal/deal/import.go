package deal

import (
	"context"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// ImportResult is how an import went.
type ImportResult struct {
	Created, Updated, Failed int
	Errors                   []RowError // for every row that failed, in order
}

// RowError says why a row of an import failed.
type RowError struct {
	Row     int    // from 0
	Field   string // "" when no single field is to blame
	Message string
}

// ImportActor begins the actor of every event that an import appends, before the
// actor itself, so that reactors can tell it from people who come one by one: an
// import starts no automations (reference §4.2).
const ImportActor = "import:"

// ImportLimit is the largest number of rows that one transaction of an import
// stores: on SQLite, where a page that many rows touch is then written once. It
// holds the writer for a quarter of a second or less.
const ImportLimit = 2000

// onPostgres is that number on PostgreSQL: each row takes two locks, and the
// server's table of locks holds a few thousand for everybody.
const onPostgres = 500

// Import stores people with their deals, many at a time, in transactions of up to
// ImportLimit rows (reference §4.2, import). A row whose phone, else e-mail, is unknown makes
// a card. One that is known gets the row's names, e-mail, source, open attributes
// and what it says of the deal; pipeline, stage, tags and references are taken by
// new cards only. A row that fails is told of in Errors and the others are stored.
// An error means that the batches before it are stored; importing the same rows
// again finishes the work.
func (s *Service) Import(ctx context.Context, tenant id.ID, actor string, rows []NewCard) (ImportResult, error) {
	return s.inBatches(rows, func(part []NewCard) (ImportResult, error) {
		return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (ImportResult, error) { return s.ImportIn(tx, actor, part) })
	})
}

// inBatches hands rows to f, as many at a time as one transaction takes, and adds up
// what became of them.
func (s *Service) inBatches(rows []NewCard, f func(part []NewCard) (ImportResult, error)) (ImportResult, error) {
	var all ImportResult
	batch := ImportLimit
	if s.db.Dialect() == store.Postgres {
		batch = onPostgres
	}
	for from := 0; from < len(rows); from += batch {
		res, err := f(rows[from:min(from+batch, len(rows))])
		if err != nil {
			return all, err
		}
		all.Created += res.Created
		all.Updated += res.Updated
		all.Failed += res.Failed
		for _, e := range res.Errors {
			e.Row += from
			all.Errors = append(all.Errors, e)
		}
	}
	return all, nil
}

// load is one batch of an import.
type load struct {
	s     *Service
	tx    *store.Tx
	rows  []NewCard
	terms []terms
	at    []placement
	bad   []error
	in    []int // the rows that are good so far
	held  map[[2]id.ID]placement
}

// ImportIn is Import inside a transaction, for up to ImportLimit rows.
func (s *Service) ImportIn(tx *store.Tx, actor string, rows []NewCard) (ImportResult, error) {
	l := &load{s: s, tx: tx, rows: rows, terms: make([]terms, len(rows)), at: make([]placement, len(rows)), bad: make([]error, len(rows)), held: map[[2]id.ID]placement{}}
	people, err := l.check()
	if err != nil {
		return ImportResult{}, err
	}
	var made []Deal
	out, err := s.contacts.EnsureManyWith(tx, ImportActor+actor, people, func(out []contact.Ensured) (err error) {
		made, err = l.insert(out)
		return err
	})
	if err != nil {
		return ImportResult{}, err
	}
	if err := s.announce(tx, ImportActor+actor, made); err != nil {
		return ImportResult{}, err
	}
	var res ImportResult
	for i, row := range l.in {
		switch e := out[i]; {
		case e.Err != nil:
			l.bad[row] = e.Err
		case e.Created:
			res.Created++
		default:
			if err := l.update(ImportActor+actor, row, e.Contact.ID); err != nil {
				if fault.As(err) == nil || fault.As(err).Code == fault.Unavailable {
					return ImportResult{}, err
				}
				l.bad[row] = err
				continue
			}
			res.Updated++
		}
	}
	for row, err := range l.bad {
		if err != nil {
			res.Failed++
			res.Errors = append(res.Errors, rowErrors(row, err)...)
		}
	}
	return res, nil
}

// rowErrors tells every complaint about a row.
func rowErrors(row int, err error) []RowError {
	f := fault.As(err)
	var out []RowError
	for _, e := range append([]*fault.Error{f}, f.Fields...) {
		if e.Field == "" && e.Code == fault.NotFound {
			c := *e
			c.Field = e.Reason
			e = &c
		}
		if e == f && len(f.Fields) > 0 && e.Field == "" {
			continue // it only gathers the others
		}
		out = append(out, RowError{Row: row, Field: e.Field, Message: e.Message})
	}
	return out
}

// check reads what the rows say of their deals, and returns the people of the
// rows that are good so far.
func (l *load) check() (people []contact.New, err error) {
	for i, n := range l.rows {
		named, err := l.s.named(l.tx, n)
		if err == nil {
			l.terms[i], err = l.s.terms(l.tx, n)
		}
		if err == nil {
			l.at[i], err = l.place(n)
		}
		if err != nil {
			if fault.As(err) == nil {
				return nil, err
			}
			l.bad[i] = err
			continue
		}
		l.in = append(l.in, i)
		people = append(people, named.New)
	}
	return people, nil
}

func (l *load) place(n NewCard) (placement, error) {
	key := [2]id.ID{n.Pipeline, n.Stage}
	if at, ok := l.held[key]; ok {
		return at, nil
	}
	at, err := l.s.place(l.tx, n.Pipeline, n.Stage)
	if err == nil {
		l.held[key] = at
	}
	return at, err
}

// insert writes the deals of the contacts that are new.
func (l *load) insert(out []contact.Ensured) (made []Deal, err error) {
	var spans [][]any
	held := map[[2]id.ID]placement{}
	for i, row := range l.in {
		if !out[i].Created {
			continue
		}
		n := l.rows[row]
		named := [2]id.ID{n.Pipeline, n.Stage}
		at, ok := held[named]
		if !ok {
			if at, err = l.s.hold(l.tx, l.at[row], n.Pipeline, n.Stage); err != nil {
				return nil, err
			}
			held[named] = at
		}
		d := newDeal(l.tx.Now(), out[i].Contact.ID, at, l.terms[row])
		made = append(made, d)
		spans = append(spans, []any{d.ID, 0, d.Stage, d.EnteredStageAt})
	}
	if err := insertMany(l.tx, made); err != nil {
		return nil, err
	}
	_, err = store.InsertRows(l.tx, "deal_stage (tenant_id, deal_id, position, stage_id, entered_at)", spans, "")
	return made, err
}

// announce appends the events of new deals.
func (s *Service) announce(tx *store.Tx, actor string, made []Deal) error {
	news := make([]event.New, 0, len(made))
	for _, d := range made {
		news = append(news, event.New{Type: "deal.created", Subject: d.ID, Contact: d.Contact, Actor: actor})
		switch d.Status {
		case Won:
			news = append(news, event.New{Type: "deal.won", Subject: d.ID, Contact: d.Contact, Actor: actor})
		case Lost:
			news = append(news, event.New{Type: "deal.lost", Subject: d.ID, Contact: d.Contact, Actor: actor})
		}
	}
	return s.log.AppendMany(tx, news)
}

// update gives a card that was there what the row says.
func (l *load) update(actor string, row int, cid id.ID) error {
	n := l.rows[row]
	p := CardPatch{Patch: n.known(), Value: n.Value}
	p.Refs = nil
	if n.Currency != "" {
		p.Currency = &n.Currency
	}
	if n.Title != "" {
		p.Title = &n.Title
	}
	_, err := l.s.UpdateIn(l.tx, actor, cid, p)
	return err
}
