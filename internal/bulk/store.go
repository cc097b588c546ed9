package bulk

import (
	"database/sql"

	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

const columns = "id, automation_id, owner_id, actor, status, schema_name, filter, loaded, load_after, run_after, total, started, refused, token, error, created_at, updated_at, ended_at"

// ref is an entity.Ref as it is stored.
type ref struct {
	Schema string `json:"s"`
	ID     id.ID  `json:"id"`
}

func insert(tx *store.Tx, j Job, audience []entity.Ref) error {
	var f, refs any
	if j.Schema != "" {
		f = store.JSON(j.Filter)
	}
	if audience != nil {
		list := make([]ref, len(audience))
		for i, r := range audience {
			list[i] = ref(r)
		}
		refs = store.JSON(list)
	}
	_, err := tx.Exec("INSERT INTO bulk_job (tenant_id, "+columns+", refs) VALUES (?,?,?,?,?,?,?,?,0,NULL,NULL,0,0,0,?,NULL,?,?,NULL,?)",
		j.ID, j.Rule, j.Owner, j.Actor, j.Status, j.Schema, f, j.Token, j.CreatedAt, j.UpdatedAt, refs)
	return err
}

// get reads a job without the audience that it was given, which may be long.
func get(r store.Reader, job id.ID) (Job, error) {
	var j Job
	var f *filter.Filter
	ok, err := store.Found(r.QueryRow("SELECT "+columns+" FROM bulk_job WHERE tenant_id=? AND id=?", job).Scan(&j.ID, &j.Rule, &j.Owner, &j.Actor, &j.Status, &j.Schema,
		store.JSON(&f), &j.loaded, &j.loadedTo, &j.ranTo, &j.Total, &j.Started, &j.Refused, &j.Token, store.Text(&j.Error),
		store.Time(&j.CreatedAt), store.Time(&j.UpdatedAt), store.Time(&j.EndedAt)))
	if err == nil && !ok {
		err = fault.Unknown("bulk job")
	}
	if f != nil {
		j.Filter = *f
	}
	return j, err
}

// refsOf returns the audience that a job was given.
func refsOf(r store.Reader, job id.ID) ([]entity.Ref, error) {
	var list []ref
	if err := r.QueryRow("SELECT refs FROM bulk_job WHERE tenant_id=? AND id=?", job).Scan(store.JSON(&list)); err != nil {
		return nil, err
	}
	out := make([]entity.Ref, len(list))
	for i, v := range list {
		out[i] = entity.Ref(v)
	}
	return out, nil
}

// save writes what changes of a locked job.
func save(tx *store.Tx, j *Job) error {
	j.UpdatedAt = tx.Now()
	_, err := tx.Exec("UPDATE bulk_job SET status=?, loaded=?, load_after=?, run_after=?, total=?, started=?, refused=?, error=?, updated_at=?, ended_at=? WHERE tenant_id=? AND id=?",
		j.Status, j.loaded, j.loadedTo, j.ranTo, j.Total, j.Started, j.Refused, store.NullText(j.Error), j.UpdatedAt, j.EndedAt, j.ID)
	return err
}

const itemColumns = "entity_id, entity_schema, run_id, status, error, updated_at"

func scanItem(rows *sql.Rows) (it Item, err error) {
	return it, rows.Scan(&it.Entity, &it.Schema, &it.Run, &it.Status, store.Text(&it.Error), store.Time(&it.At))
}

// addItems writes entities down whose turn has not come, and returns how many of
// them the job did not have.
func addItems(tx *store.Tx, job id.ID, list []entity.Ref) (int64, error) {
	rows := make([][]any, len(list))
	for i, v := range list {
		rows[i] = []any{job, v.ID, v.Schema, waiting, false, tx.Now()}
	}
	return store.InsertRows(tx, "bulk_item (tenant_id, job_id, entity_id, entity_schema, status, is_open, updated_at)", rows, "ON CONFLICT DO NOTHING")
}

// nextItems returns the entities behind one, by id: the primary key's order.
func nextItems(r store.Reader, job, after id.ID, limit int) ([]Item, error) {
	rows, err := r.Query("SELECT "+itemColumns+" FROM bulk_item WHERE tenant_id=? AND job_id=? AND entity_id>? ORDER BY entity_id LIMIT ?", job, after.String(), limit)
	return store.Collect(rows, err, scanItem)
}

// saveItems writes what became of a batch.
func saveItems(tx *store.Tx, job id.ID, list []Item) error {
	rows := make([][]any, len(list))
	for i, it := range list {
		rows[i] = []any{job, it.Entity, it.Schema, it.Run, it.Status, store.NullText(it.Error), isOpen(it), tx.Now()}
	}
	_, err := store.InsertRows(tx, "bulk_item (tenant_id, job_id, entity_id, entity_schema, run_id, status, error, is_open, updated_at)", rows,
		"ON CONFLICT (tenant_id, job_id, entity_id) DO UPDATE SET run_id=excluded.run_id, status=excluded.status, error=excluded.error, is_open=excluded.is_open, updated_at=excluded.updated_at")
	return err
}

// summary leaves out those whose turn has not come.
func summary(r store.Reader, job id.ID, limit int) ([]Item, error) {
	j, err := get(r, job)
	if err != nil {
		return nil, err
	}
	where, args := "", []any{job}
	if !j.Over() {
		where = " AND entity_id<=?"
		args = append(args, j.ranTo.String())
	}
	rows, err := r.Query("SELECT "+itemColumns+" FROM bulk_item WHERE tenant_id=? AND job_id=?"+where+" ORDER BY entity_id LIMIT ?", append(args, limit)...)
	return store.Collect(rows, err, scanItem)
}

// anyOpen reports whether a run of the job has not ended (index bulk_item_open).
func anyOpen(r store.Reader, job id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM bulk_item WHERE tenant_id=? AND job_id=? AND is_open LIMIT 1", job).Scan(&one))
}
