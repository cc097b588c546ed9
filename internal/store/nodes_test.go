package store_test

import (
	"net/url"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// A step that builds an index of a large table takes longer than any statement of
// the server's may.
func TestMigrationsHaveAllTheTimeTheyNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	place := storetest.PostgresURL(t)
	for _, q := range []string{
		"CREATE TABLE seen (patience text)",
		`CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_setting('statement_timeout')); END $$`,
		"CREATE EVENT TRIGGER see ON ddl_command_start EXECUTE FUNCTION see()",
	} {
		if err := store.Admin(bg, place, q); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(bg, store.Options{URL: place})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(bg); err != nil {
		t.Fatal(err)
	}
	var steps, hurried int
	if err := db.Read(bg, id.Zero).All().QueryRow("SELECT COUNT(*), COUNT(CASE WHEN patience<>'0' THEN 1 END) FROM seen").Scan(&steps, &hurried); err != nil {
		t.Fatal(err)
	}
	if steps == 0 || hurried > 0 {
		t.Errorf("%d of %d statements of migrations are cut off when they take long", hurried, steps)
	}
}

// Nodes whose machines' clocks differ make ids by one clock, or what one of them
// wrote later would go before what another wrote earlier.
func TestIDsGoByTheDatabasesClock(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL is left out of short runs")
	}
	place := storetest.PostgresURL(t)
	// A database whose clock is an hour ahead.
	if err := store.Admin(bg, place, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$`); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(bg, store.Options{URL: place + "&search_path=" + url.QueryEscape("public,pg_catalog")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer id.Ahead(0)
	if off := db.Clock().Now().Sub(id.New().Time()); off.Abs() > time.Minute {
		t.Errorf("a new id is %s off the database's clock", off)
	}
}
