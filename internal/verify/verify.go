// Package verify owns the published invariants (docs/guarantees.md): for each a
// name, a sentence, and a query that finds the rows which break it. `parley
// verify` runs them; the chaos tests run them after every kill. It reads every
// table and changes none.
package verify

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/store"
)

// Invariant is one promise about the stored data.
type Invariant struct {
	Name string `json:"name"`
	Says string `json:"says"`
	// Query selects (tenant, row, what is wrong) of rows that break the promise.
	Query string `json:"-"`
}

// checks stand in for the queries of invariants that SQL cannot say: each returns
// at most limit breaks, and answers for nothing that changes while it looks.
var checks = map[string]func(all store.Raw, limit int) ([]Break, error){"record-index": recordIndex, "segment-set": segmentSet}

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
	err := db.Unhurried(ctx, func(all store.Raw) error {
		for _, inv := range Invariants {
			found, err := inv.breaks(all)
			if err != nil {
				return fmt.Errorf("could not check %s: %w", inv.Name, err)
			}
			rep.Checked++
			if len(found) > 0 {
				rep.OK = false
				rep.Broken = append(rep.Broken, inv.Name)
				rep.Breaks = append(rep.Breaks, found...)
			}
		}
		return nil
	})
	return rep, err
}

// breaks returns rows that break the invariant, at most maxBreaks.
func (inv Invariant) breaks(all store.Raw) ([]Break, error) {
	if check := checks[inv.Name]; check != nil {
		list, err := check(all, maxBreaks)
		for i := range list {
			list[i].Invariant = inv.Name
		}
		return list, err
	}
	rows, err := all.Query(inv.Query+" LIMIT ?", maxBreaks)
	return store.Collect(rows, err, func(rows *sql.Rows) (Break, error) {
		b := Break{Invariant: inv.Name}
		err := rows.Scan(store.Text(&b.Tenant), store.Text(&b.Row), store.Text(&b.Detail))
		return b, err
	})
}
