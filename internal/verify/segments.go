package verify

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"

	"parley/internal/store"
)

// segmentSet holds what each tenant's row of segment_set counts against its
// segments, in one statement: what is counted by schema stands there as JSON.
func segmentSet(all store.Raw, limit int) ([]Break, error) {
	type sum struct {
		segments, version, number int64
		schemas                   map[string]int64
	}
	type pair struct {
		said, is sum
		known    bool
	}
	found := map[string]*pair{}
	rows, err := all.Query(`SELECT tenant_id, 1, '', segments, version, number, CAST(schemas AS TEXT) FROM segment_set
		UNION ALL SELECT tenant_id, 0, CASE WHEN query IS NULL THEN '' ELSE entity_schema END, COUNT(*), MAX(version), MAX(number), NULL FROM segment
		GROUP BY tenant_id, CASE WHEN query IS NULL THEN '' ELSE entity_schema END`)
	_, err = store.Collect(rows, err, func(rows *sql.Rows) (x struct{}, err error) {
		var tenant, schema, text string
		var set bool
		var s sum
		if err = rows.Scan(&tenant, &set, &schema, &s.segments, &s.version, &s.number, store.Text(&text)); err != nil {
			return x, err
		}
		p := found[tenant]
		if p == nil {
			p = &pair{is: sum{schemas: map[string]int64{}}}
			found[tenant] = p
		}
		if set {
			p.known, p.said = true, s
			return x, json.Unmarshal([]byte(text), &p.said.schemas)
		}
		p.is.segments += s.segments
		p.is.version, p.is.number = max(p.is.version, s.version), max(p.is.number, s.number)
		if schema != "" {
			p.is.schemas[schema] = s.segments
		}
		return x, nil
	})
	if err != nil {
		return nil, err
	}
	var out []Break
	for tenant, p := range found {
		if len(out) < limit && (!p.known || p.said.segments != p.is.segments || p.said.version < p.is.version || p.said.number < p.is.number || !maps.Equal(p.said.schemas, p.is.schemas)) {
			out = append(out, Break{Tenant: tenant, Row: tenant, Detail: fmt.Sprintf("says %+v, is %+v", p.said, p.is)})
		}
	}
	return out, nil
}
