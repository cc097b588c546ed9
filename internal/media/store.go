package media

import (
	"database/sql"
	"fmt"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// States of a file.
const (
	writing = "writing"
	ready   = "ready"
)

const columns = "tenant_id, id, kind, mime, filename, origin, state, size, chunks, sha256, created_at"

func scan(row interface{ Scan(...any) error }) (File, error) {
	var f File
	err := row.Scan(&f.Tenant, &f.ID, &f.Kind, &f.MIME, &f.Filename, &f.Origin, &f.state, &f.Size, &f.chunks, &f.SHA256, store.Time(&f.CreatedAt))
	return f, err
}

func byID(r store.Reader, file id.ID) (File, bool, error) {
	f, err := scan(r.QueryRow("SELECT "+columns+" FROM media WHERE tenant_id=? AND id=?", file))
	found, err := store.Found(err)
	return f, found, err
}

// anyByID finds a file of any tenant, behind the index media_by_id: a link
// names no tenant.
func anyByID(r store.Reader, file id.ID) (File, bool, error) {
	f, err := scan(r.All().QueryRow("SELECT "+columns+" FROM media WHERE id=?", file))
	found, err := store.Found(err)
	return f, found, err
}

// beginIn makes the row of a file whose chunks follow.
func beginIn(tx *store.Tx, f File) error {
	_, err := tx.Exec(`INSERT INTO media (tenant_id, id, kind, mime, filename, origin, state, size, chunks, sha256, check_at, created_at)
		VALUES (?,?,?,?,?,?,?,0,0,'',?,?)`, f.ID, f.Kind, f.MIME, f.Filename, f.Origin, writing, tx.Now().Add(unfinished), tx.Now())
	if err != nil {
		return fmt.Errorf("media: begin a file: %w", err)
	}
	return nil
}

// chunkIn writes the n-th chunk of a file.
func chunkIn(tx *store.Tx, file id.ID, n int, data []byte) error {
	moved, err := tx.Exec("UPDATE media SET size=size+?, chunks=chunks+1, check_at=? WHERE tenant_id=? AND id=? AND state='writing' AND chunks=?",
		len(data), tx.Now().Add(unfinished), file, n)
	if err == nil && moved == 0 {
		err = errGone
	}
	if err == nil {
		_, err = tx.Exec("INSERT INTO media_chunk (tenant_id, media_id, n, data) VALUES (?,?,?,?)", file, n, data)
	}
	return err
}

// finishIn makes a file ready.
func finishIn(tx *store.Tx, file id.ID, sum string) error {
	moved, err := tx.Exec("UPDATE media SET state=?, sha256=?, check_at=? WHERE tenant_id=? AND id=? AND state='writing'",
		ready, sum, tx.Now().Add(unused), file)
	if err == nil && moved == 0 {
		err = errGone
	}
	return err
}

func deleteIn(tx *store.Tx, file id.ID) error {
	for _, q := range []string{"DELETE FROM media_chunk WHERE tenant_id=? AND media_id=?", "DELETE FROM media_upload WHERE tenant_id=? AND media_id=?",
		"DELETE FROM media WHERE tenant_id=? AND id=?"} {
		if _, err := tx.Exec(q, file); err != nil {
			return err
		}
	}
	return nil
}

// chunk reads the n-th chunk.
func chunk(r store.Reader, file id.ID, n int) ([]byte, error) {
	var data []byte
	err := r.QueryRow("SELECT data FROM media_chunk WHERE tenant_id=? AND media_id=? AND n=?", file, n).Scan(&data)
	if found, err := store.Found(err); err != nil || !found {
		if err == nil {
			err = errGone
		}
		return nil, err
	}
	return data, nil
}

// due returns files of all tenants whose time to be looked at has come.
func due(r store.Reader, now time.Time, limit int) ([]File, error) {
	rows, err := r.All().Query("SELECT "+columns+" FROM media WHERE check_at<=? ORDER BY check_at LIMIT ?", now, limit)
	return store.Collect(rows, err, func(rows *sql.Rows) (File, error) { return scan(rows) })
}

// UploadedIn notes that an account's provider has a file, under its own name
// for it, until a moment.
func (s *Service) UploadedIn(tx *store.Tx, file, account id.ID, providerID string, until time.Time) error {
	_, err := tx.Exec(`INSERT INTO media_upload (tenant_id, media_id, account_id, provider_id, expires_at) VALUES (?,?,?,?,?)
		ON CONFLICT (tenant_id, media_id, account_id) DO UPDATE SET provider_id=excluded.provider_id, expires_at=excluded.expires_at`,
		file, account, providerID, until)
	return err
}

// Uploaded returns the name under which an account's provider has a file now,
// "" when it has not.
func (s *Service) Uploaded(r store.Reader, file, account id.ID) (string, error) {
	var p string
	_, err := store.Found(r.QueryRow("SELECT provider_id FROM media_upload WHERE tenant_id=? AND media_id=? AND account_id=? AND expires_at>?",
		file, account, r.Now()).Scan(&p))
	return p, err
}

// ForgetUploadIn says that the provider knows the file no more.
func (s *Service) ForgetUploadIn(tx *store.Tx, file, account id.ID) error {
	_, err := tx.Exec("DELETE FROM media_upload WHERE tenant_id=? AND media_id=? AND account_id=?", file, account)
	return err
}
