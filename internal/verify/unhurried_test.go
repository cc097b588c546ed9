package verify

import (
	"context"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// To look at every row of a large base takes longer than a statement of the
// server's may.
func TestAVerificationHasAllTheTimeItNeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	db := storetest.Postgres(t)
	const name = "segment-set"
	old := checks[name]
	defer func() { checks[name] = old }()
	var patience string
	checks[name] = func(all store.Raw, _ int) ([]Break, error) {
		return nil, all.QueryRow("SELECT current_setting('statement_timeout')").Scan(&patience)
	}
	if _, err := Run(context.Background(), db); err != nil || patience != "0" {
		t.Errorf("a statement is cut off after %s: %v", patience, err)
	}
}
