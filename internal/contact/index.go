package contact

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// indexJob gives the contacts of a tenant their words, references and attributes:
// those that were there before the tables were. The migration enqueues it.
const indexJob = "contact.index"

// indexed is how many contacts one transaction of the job takes.
const indexed = 500

// RegisterJobs makes the room's jobs known. Call it before the runner runs.
func (s *Service) RegisterJobs(r *job.Runner) {
	r.Register(job.Kind{Name: indexJob, Handle: s.indexAll, Timeout: 10 * time.Minute})
	s.registerErasing(r)
}

// indexAll walks the tenant's contacts by id. It may run beside changes and more
// than once: what is indexed already stays.
func (s *Service) indexAll(ctx context.Context, j *job.Job) error {
	after := id.Zero
	for {
		next, err := store.Write(ctx, s.db, j.Tenant, func(tx *store.Tx) (id.ID, error) { return s.indexSome(tx, after) })
		if err != nil || next.IsZero() {
			return err
		}
		after = next
	}
}

// indexSome indexes the contacts that follow an id and returns the last of them,
// the zero id when there are no more.
func (s *Service) indexSome(tx *store.Tx, after id.ID) (id.ID, error) {
	from := ""
	if !after.IsZero() {
		from = after.String()
	}
	rows, err := tx.Query("SELECT id FROM contact WHERE tenant_id=? AND id>? ORDER BY id LIMIT ?", from, indexed)
	ids, err := store.Collect(rows, err, scanID)
	if err == nil && len(ids) == 0 { // whoever came since is listed already
		_, err = tx.Exec("DELETE FROM contact_unlisted WHERE tenant_id=?")
	}
	if err != nil || len(ids) == 0 {
		return id.Zero, err
	}
	keys := make([]string, len(ids))
	for i, cid := range ids {
		keys[i] = cid.String()
	}
	if err := tx.Lock("contact", keys...); err != nil { // whoever changes a name changes its words
		return id.Zero, err
	}
	people := make(map[id.ID]Contact, len(ids))
	if err := load(tx, ids, people); err != nil {
		return id.Zero, err
	}
	var words, refs, attrs [][]any
	for _, c := range people {
		for _, w := range wordsOf(c) {
			words = append(words, []any{w, c.ID})
		}
		for k, v := range c.Refs {
			refs = append(refs, []any{k, v, c.ID})
		}
		for _, a := range attributesOf(c.Attributes) {
			attrs = append(attrs, []any{a.name, a.key, c.ID})
		}
	}
	if err := putWords(tx, words); err != nil {
		return id.Zero, err
	}
	if err := putRefs(tx, refs); err != nil {
		return id.Zero, err
	}
	return ids[len(ids)-1], putAttributes(tx, attrs)
}

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }
