package server

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"parley/internal/config"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/verify"
)

// backup writes a consistent copy of a SQLite database to a new file and makes
// sure that it is on disk.
func backup(ctx context.Context, db *store.DB, file string) error {
	if db.Dialect() != store.SQLite {
		return fault.New(fault.Invalid, "parley backup copies the embedded database; back up PostgreSQL with its own tools, such as pg_dump or base backups")
	}
	if !filepath.IsAbs(file) {
		return fault.Field("file", "the path of the backup must be absolute")
	}
	if _, err := os.Stat(file); err == nil {
		return fault.Field("file", "%s exists already; name a new file", file)
	}
	part := file + ".part"
	_ = os.Remove(part)
	if err := db.Snapshot(ctx, part); err != nil {
		_ = os.Remove(part)
		return fault.Field("file", "the backup could not be written: %v", err)
	}
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o600); err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncFile(filepath.Dir(file))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore replaces the SQLite database of a data folder by a backup. The caller
// holds the folder's lock and has the database closed. The old database stays
// beside it as parley.db.before-restore.
func Restore(ctx context.Context, d config.Database, file string) error {
	if err := stage(ctx, d, file, nil); err != nil {
		return err
	}
	return install(d)
}

// staged is where a backup waits to become the database.
func staged(d config.Database) string { return d.File() + ".restore" }

// install makes a staged backup the database. Nobody may have it open. A crash in
// the middle is made good by resume.
func install(d config.Database) error {
	old := d.File() + ".before-restore"
	removeDatabase(old)
	if err := moveDatabase(d.File(), old); err != nil {
		return err
	}
	if err := os.Rename(staged(d), d.File()); err != nil {
		return err
	}
	return syncFile(filepath.Dir(d.File()))
}

// resume finishes an install that was cut off after it had put the old database
// aside: without it the server would begin with an empty one.
func resume(d config.Database) error {
	if d.Database != "" || exists(d.File()) || !exists(staged(d)) || !exists(d.File()+".before-restore") {
		return nil
	}
	if err := moveDatabase(d.File(), d.File()+".before-restore"); err != nil { // what is left of its companions
		return err
	}
	if err := os.Rename(staged(d), d.File()); err != nil {
		return err
	}
	return syncFile(filepath.Dir(d.File()))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// moveDatabase renames a database with its companions, as far as they are there.
func moveDatabase(from, to string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// stage copies a backup beside the database and proves that it is one, is not
// newer than this program, keeps every invariant, and passes a further check.
func stage(ctx context.Context, d config.Database, file string, check func(*store.DB) error) (err error) {
	if d.Database != "" {
		return fault.New(fault.Invalid, "parley restore replaces the embedded database; restore PostgreSQL with its own tools")
	}
	fresh := staged(d)
	defer func() {
		if err != nil {
			removeDatabase(fresh)
		}
	}()
	src, err := os.Open(file)
	if err != nil {
		return fault.Field("file", "the backup cannot be read: %v", err)
	}
	defer src.Close()
	removeDatabase(fresh)
	dst, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{Path: fresh})
	if err != nil {
		return fault.Field("file", "%s is not a Parley backup: %v", file, err)
	}
	defer db.Close()
	have, want, err := db.SchemaVersion(ctx)
	switch {
	case err != nil || have == 0:
		return fault.Field("file", "%s is not a Parley backup", file)
	case have > want:
		return fault.Field("file", "the backup was made by a newer Parley (schema %d, this one knows %d); upgrade first", have, want)
	}
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	rep, err := verify.Run(ctx, db)
	if err != nil {
		return err
	}
	if !rep.OK {
		return fault.Field("file", "the backup breaks invariants (%v) and was not restored", rep.Broken)
	}
	if check != nil {
		return check(db)
	}
	return nil
}

func removeDatabase(path string) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + suffix)
	}
}
