package deal

import (
	"maps"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/store"
)

// query is the condition of a list, and the ways to begin it.
type query struct {
	conds []condition
	// begins are the indexes by which rows can be found that may be few.
	begins []beginning
	// dealsOnly: nothing but status, pipeline and stage is asked, which the tally
	// counts by the condition tallied.
	dealsOnly  bool
	tallied    string
	talliedArg []any
	// agentOrSource: an agent or a source is asked.
	agentOrSource bool
	// further finds what a search finds when it was too much at first.
	further func(limit int) (*beginning, error)
}

// condition is one condition on c or d, and the column whose index answers it, ""
// for none: a "~" stands before that column.
type condition struct {
	sql    string
	args   []any
	column string
}

func (q *query) and(sql string, args ...any) { q.on("", sql, args...) }

func (q *query) on(column, sql string, args ...any) {
	q.conds = append(q.conds, condition{sql, args, column})
}

// all counts the tenant's cards, by the tally.
func all(r store.Reader) (n int, err error) {
	sums, err := tallies(r, "")
	for _, t := range sums {
		n += t.primaries
	}
	return n, err
}

// deals counts the cards that qualify, by the tally.
func (q *query) deals(r store.Reader) (n int, err error) {
	sums, err := tallies(r, q.tallied, q.talliedArg...)
	for _, t := range sums {
		n += t.primaries
	}
	return n, err
}

// query compiles the filter. Whether a card is archived is the deal's status
// alone, so that lists, boards and totals agree.
func (s *Service) query(r store.Reader, f CardFilter) (q query, err error) {
	if err := q.standing(r, f); err != nil {
		return q, err
	}
	for _, v := range []string{f.Source, f.AssignedTo} {
		if _, err := contact.Line("filter", v, 1000); err != nil {
			return q, err
		}
	}
	n := len(q.conds)
	if f.Source != "" { // index contact_source
		q.on("c.source", "~c.source = ?", f.Source)
		q.begins = append(q.begins, contacts("source", "c.source", "c.score"))
	}
	if f.AssignedTo != "" { // index contact_assigned
		q.on("c.assigned_to", "~c.assigned_to = ?", f.AssignedTo)
		q.begins = append(q.begins, contacts("assigned", "c.assigned_to", "c.score"))
	}
	if f.MinScore != nil { // index contact_score
		q.on("c.score", "~c.score >= ?", *f.MinScore)
		q.begins = append(q.begins, contacts("score", "c.score", "c.score"))
	}
	q.agentOrSource = f.Source != "" || f.AssignedTo != ""
	q.created(f)
	q.refs(f)
	tags, err := contact.Tags("tags", f.Tags)
	if err != nil {
		return q, err
	}
	q.tags(tags)
	if err := s.search(r, &q, f.Search); err != nil {
		return q, err
	}
	q.dealsOnly = len(q.conds) == n
	return q, nil
}

// standing compiles what is asked of the deal.
func (q *query) standing(r store.Reader, f CardFilter) error {
	switch f.Status {
	case "":
		q.on("d.status", "d.status <> 'archived'")
		q.tallied = " AND status <> 'archived'"
	case Open:
		q.on("d.status", "~d.status = 'open'")
		q.on("d.status", "d.status <> 'archived'") // by which the index deal_live is found
		q.tallied = " AND status = 'open'"
	case Won, Lost:
		q.on("d.status", "~d.status = ?", f.Status)
		q.on("d.status", "d.status <> 'open' AND d.status <> 'archived'") // index deal_ended
		q.tallied, q.talliedArg = " AND status = ?", []any{f.Status}
	case Archived:
		q.on("d.status", "~d.status = ?", f.Status)
		q.on("d.status", "d.status <> 'open'")
		q.tallied, q.talliedArg = " AND status = ?", []any{f.Status}
	default:
		return fault.Field("status", "the status of a lead is open, won, lost or archived")
	}
	if !f.Pipeline.IsZero() { // index deal_board
		q.on("d.pipeline_id", "~d.pipeline_id = ?", f.Pipeline)
		q.tallied, q.talliedArg = q.tallied+" AND pipeline_id = ?", append(q.talliedArg, f.Pipeline)
	}
	if !f.Stage.IsZero() { // index deal_live
		q.on("d.stage_id", "~d.stage_id = ?", f.Stage)
		q.tallied, q.talliedArg = q.tallied+" AND stage_id = ?", append(q.talliedArg, f.Stage)
	}
	if f.Pipeline.IsZero() && f.Stage.IsZero() && (f.Status == "" || f.Status == Open) {
		return nil // nearly all of them
	}
	n, err := q.deals(r)
	q.begins = append(q.begins, beginning{name: "deal", from: standing(f), rows: n, known: true})
	return err
}

// created compiles the range of creation, by the index contact_created.
func (q *query) created(f CardFilter) {
	if f.From.IsZero() && f.To.IsZero() {
		return
	}
	if !f.From.IsZero() {
		q.on("c.created_at", "~c.created_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		q.on("c.created_at", "~c.created_at <= ?", f.To)
	}
	q.begins = append(q.begins, contacts("created", "c.created_at", "c.created_at"))
}

// refs compiles references, by the key of contact_ref.
func (q *query) refs(f CardFilter) {
	for _, name := range slices.Sorted(maps.Keys(f.Refs)) {
		args := []any{name, f.Refs[name]}
		q.on("ref "+name, "EXISTS (SELECT 1 FROM contact_ref r WHERE r.tenant_id=? AND r.name=? AND r.value=? AND r.contact_id=c.id)", args...)
		q.begins = append(q.begins, listed("ref", "ref "+name, "SELECT y.contact_id FROM contact_ref y WHERE y.tenant_id=? AND y.name=? AND y.value=?", args))
	}
}

// tags compiles tags, by the index contact_tag_by_tag.
func (q *query) tags(tags []string) {
	if len(tags) == 0 {
		return
	}
	args := make([]any, len(tags))
	for i, t := range tags {
		args[i] = t
	}
	in := " IN (?" + strings.Repeat(",?", len(tags)-1) + ")"
	q.on("tag", "EXISTS (SELECT 1 FROM contact_tag t WHERE t.tenant_id=? AND t.contact_id=c.id AND t.tag"+in+")", args...)
	distinct := ""
	if len(tags) > 1 {
		distinct = "DISTINCT "
	}
	q.begins = append(q.begins, listed("tag", "tag", "SELECT "+distinct+"y.contact_id FROM contact_tag y WHERE y.tenant_id=? AND y.tag"+in, args))
}
