package deal

import "parley/internal/store"

// Statement is the query that a list of a filter runs, for looking at its plan.
func Statement(f CardFilter, dir string) (string, []any, error) {
	q, err := f.query(store.SQLite)
	return q.page(orders[f.SortBy], dir, false), append(q.args, f.Limit, 0), err
}
