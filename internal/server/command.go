package server

import (
	"context"
	"fmt"

	"parley/internal/config"
)

// OpenForCommand opens the database for a command that found no running server.
// A database that was never used is migrated; an old one is not, because that
// is for `serve` and `migrate` alone.
func OpenForCommand(ctx context.Context, d config.Database) (*App, error) {
	a, err := Open(ctx, config.Server{Database: d, GraphURL: "https://graph.facebook.com", GraphAPI: "v24.0", Connections: 4}, Options{})
	if err != nil {
		return nil, err
	}
	have, want, err := a.DB.SchemaVersion(ctx)
	switch {
	case err != nil:
	case have == 0:
		_, err = a.DB.Migrate(ctx)
	case have < want:
		err = fmt.Errorf("the database is at schema %d and this program wants %d; run `parley migrate` first", have, want)
	case have > want:
		err = fmt.Errorf("the database was made by a newer Parley (schema %d, this one knows %d); upgrade this program", have, want)
	}
	if err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// Migrate brings a database to this program's schema and returns the number of
// steps it took. A running SQLite server is already there.
func Migrate(ctx context.Context, d config.Database) (int, error) {
	if d.Database == "" {
		lock, err := TakeLock(d.Data)
		if err == ErrLocked {
			return 0, nil // the server migrated when it started
		} else if err != nil {
			return 0, err
		}
		defer lock.Release()
	}
	a, err := Open(ctx, config.Server{Database: d, Connections: 4}, Options{})
	if err != nil {
		return 0, err
	}
	defer a.Close()
	return a.DB.Migrate(ctx)
}
