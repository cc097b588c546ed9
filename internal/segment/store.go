package segment

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// batch is how many ids one query names at most.
const batch = 500

const columns = "id, name, description, entity_schema, filters, query, tags, extra, number, seeded, version, created_by, created_at, updated_at"

func scan(rows *sql.Rows) (v Segment, err error) {
	var filters, extra string
	var query *filter.Filter
	err = rows.Scan(&v.ID, &v.Name, &v.Description, &v.Schema, store.Text(&filters), store.JSON(&query), store.JSON(&v.Tags), store.Text(&extra),
		&v.number, &v.seeded, &v.version, store.Text(&v.CreatedBy), store.Time(&v.CreatedAt), store.Time(&v.UpdatedAt))
	if err != nil {
		return v, err
	}
	if v.Empty = query == nil; !v.Empty {
		v.Filter = *query
	}
	if v.Filters, err = object(filters); err == nil {
		v.Extra, err = object(extra)
	}
	return v, err
}

// object reads a document in its canonical form; "" is none.
func object(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil
	}
	v, err := filter.Decode([]byte(text))
	m, _ := v.(map[string]any)
	return m, err
}

// Get returns a segment. NotFound.
func (s *Service) Get(r store.Reader, v id.ID) (Segment, error) {
	known, err := s.GetMany(r, []id.ID{v})
	if err != nil {
		return Segment{}, err
	}
	found, ok := known[v]
	if !ok {
		return Segment{}, fault.Unknown(Noun)
	}
	return found, nil
}

// GetMany returns segments by id; unknown ones are left out.
func (s *Service) GetMany(r store.Reader, ids []id.ID) (map[id.ID]Segment, error) {
	out := make(map[id.ID]Segment, len(ids))
	for part := range slices.Chunk(ids, batch) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT "+columns+" FROM segment WHERE tenant_id=? AND id IN "+in, args...)
		list, err := store.Collect(rows, err, scan)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out[v.ID] = v
		}
	}
	return out, nil
}

// list returns the segments that follow an id, by id.
func list(r store.Reader, after id.ID, limit int) ([]Segment, error) {
	rows, err := r.Query("SELECT "+columns+" FROM segment WHERE tenant_id=? AND id>? ORDER BY id LIMIT ?", after.String(), limit)
	return store.Collect(rows, err, scan)
}

func insert(tx *store.Tx, v Segment) error {
	_, err := tx.Exec("INSERT INTO segment (tenant_id, "+columns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", v.row()...)
	return err
}

func update(tx *store.Tx, v Segment) error {
	_, err := tx.Exec(`UPDATE segment SET name=?3, description=?4, entity_schema=?5, filters=?6, query=?7, tags=?8, extra=?9, number=?10, seeded=?11, version=?12,
		created_by=?13, created_at=?14, updated_at=?15 WHERE tenant_id=?1 AND id=?2`, v.row()...)
	return err
}

// row are the values of columns.
func (v Segment) row() []any {
	var filters, query, tags any
	if v.Filters != nil {
		filters = store.JSON(v.Filters)
	}
	if !v.Empty {
		query = store.JSON(v.Filter)
	}
	if v.Tags != nil {
		tags = store.JSON(v.Tags)
	}
	return []any{v.ID, v.Name, v.Description, v.Schema, filters, query, tags, store.JSON(v.Extra), v.number, flag(v.seeded), v.version,
		store.NullText(v.CreatedBy), v.CreatedAt, v.UpdatedAt}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ring is a tenant's row of segment_set.
type ring struct {
	version  int64
	number   int64
	segments int
	schemas  map[string]int // segments with filters by the schema they select
	before   []string       // the schemas when it was read
}

// turn makes the tenant's version greater and holds its row: whoever changes
// segments comes one after the other, and behind whoever compares entities with
// them.
func turn(tx *store.Tx) (g ring, err error) {
	g.schemas = map[string]int{}
	err = tx.QueryRow(`INSERT INTO segment_set (tenant_id, version, number, segments, schemas) VALUES (?,1,0,0,'{}')
		ON CONFLICT (tenant_id) DO UPDATE SET version=segment_set.version+1 RETURNING version, number, segments, schemas`).
		Scan(&g.version, &g.number, &g.segments, store.JSON(&g.schemas))
	g.before = slices.Sorted(maps.Keys(g.schemas))
	return g, err
}

// keep writes what of the ring is otherwise now.
func (s *Service) keep(tx *store.Tx, g ring) error {
	_, err := tx.Exec("UPDATE segment_set SET number=?, segments=?, schemas=? WHERE tenant_id=?", g.number, g.segments, store.JSON(g.schemas))
	s.schemas.Forget(tx)
	if err != nil {
		return err
	}
	for _, schema := range g.before {
		if g.schemas[schema] > 0 {
			continue
		}
		if err := oweClear(tx, schema); err != nil {
			return err
		}
	}
	return nil
}

// versionOf returns the tenant's version, zero when it never had segments.
func versionOf(r store.Reader, suffix string) (v int64, err error) {
	_, err = store.Found(r.QueryRow("SELECT version FROM segment_set WHERE tenant_id=?" + suffix).Scan(&v))
	return v, err
}

// NameOf returns a segment's name. NotFound.
func (s *Service) NameOf(ctx context.Context, tenant, v id.ID) (string, error) {
	seg, err := s.Get(s.db.Read(ctx, tenant), v)
	return seg.Name, err
}
