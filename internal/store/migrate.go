package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema to this program's version, under a lock so that
// several nodes may start at once. It returns the number of steps it took.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	var pool *sql.DB
	opts := []goose.ProviderOption{goose.WithVerbose(false)}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return 0, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
		if pool, err = db.unhurried(); err != nil { // a step over a large table takes its time
			return 0, err
		}
		defer pool.Close()
	} else {
		w, err := sql.Open(driverName, writeDSN(db.opts.Path, db.opts.Unsynced))
		if err != nil {
			return 0, err
		}
		defer w.Close()
		w.SetMaxOpenConns(1)
		pool = w
	}
	steps, err := db.dialect.migrations()
	if err != nil {
		return 0, err
	}
	p, err := goose.NewProvider(dialect, pool, steps, opts...)
	if err != nil {
		return 0, err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return len(done), fmt.Errorf("the database could not be migrated: %w", err)
	}
	return len(done), nil
}

// SchemaVersion returns the version of the newest step that the database has.
// It returns 0 for a database that was never migrated.
func (db *DB) SchemaVersion(ctx context.Context) (have, want int64, err error) {
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries { // numbers may be skipped
		number, _, _ := strings.Cut(e.Name(), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("store: the step %s has no number", e.Name())
		}
		want = max(want, n)
	}
	err = db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id),0) FROM goose_db_version").Scan(&have)
	if err != nil && (strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "does not exist")) {
		return 0, want, nil
	}
	return have, want, err
}

// migrations writes the steps in one dialect. The files are shared: a line that
// begins with @sqlite or @postgres belongs to that dialect alone, and the types
// TEXT, JSON and BYTES are translated.
func (d Dialect) migrations() (fs.FS, error) {
	out := fstest.MapFS{}
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := migrations.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			return nil, err
		}
		out[e.Name()] = &fstest.MapFile{Data: []byte(d.translate(string(b))), Mode: 0o444}
	}
	return out, nil
}

func (d Dialect) translate(src string) string {
	types := strings.NewReplacer(" JSON", " TEXT", " BYTES", " BLOB")
	if d == Postgres {
		types = strings.NewReplacer(" TEXT", ` TEXT COLLATE "C"`, " JSON", " JSONB", " BYTES", " BYTEA")
	}
	var b strings.Builder
	for _, line := range strings.Split(src, "\n") {
		if only, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(only, "@") {
			if only != "@"+d.String() {
				continue
			}
			b.WriteString("  " + rest + "\n")
			continue
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			line = types.Replace(line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
