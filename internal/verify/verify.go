// Package verify owns the published invariants (docs/guarantees.md): for each a
// name, a sentence, and a query that finds the rows which break it. `parley
// verify` runs them; the chaos tests run them after every kill. It reads every
// table and changes none.
package verify

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/id"
	"parley/internal/store"
)

// Invariant is one promise about the stored data.
type Invariant struct {
	Name string `json:"name"`
	Says string `json:"says"`
	// Query selects (tenant, row, what is wrong) of rows that break the promise.
	Query string `json:"-"`
}

// Break is one row that breaks an invariant.
type Break struct {
	Invariant string `json:"invariant"`
	Tenant    string `json:"tenant"`
	Row       string `json:"row"`
	Detail    string `json:"detail,omitempty"`
}

// Report is the outcome of a verification.
type Report struct {
	OK      bool     `json:"ok"`
	Checked int      `json:"checked"` // invariants
	Broken  []string `json:"broken"`  // names of the invariants that do not hold
	Breaks  []Break  `json:"breaks"`  // rows, at most maxBreaks an invariant
}

// maxBreaks bounds how many rows are listed for one invariant.
const maxBreaks = 20

// Run checks every invariant against what is committed now. On a busy server
// each query sees one moment; an invariant never spans two of them.
func Run(ctx context.Context, db *store.DB) (Report, error) {
	rep := Report{OK: true, Broken: []string{}, Breaks: []Break{}}
	for _, inv := range Invariants {
		rows, err := db.Read(ctx, id.Zero).All().Query(inv.Query+" LIMIT ?", maxBreaks)
		found, err := store.Collect(rows, err, func(rows *sql.Rows) (Break, error) {
			b := Break{Invariant: inv.Name}
			err := rows.Scan(store.Text(&b.Tenant), store.Text(&b.Row), store.Text(&b.Detail))
			return b, err
		})
		if err != nil {
			return rep, fmt.Errorf("could not check %s: %w", inv.Name, err)
		}
		rep.Checked++
		if len(found) > 0 {
			rep.OK = false
			rep.Broken = append(rep.Broken, inv.Name)
			rep.Breaks = append(rep.Breaks, found...)
		}
	}
	return rep, nil
}
