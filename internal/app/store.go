package app

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}

// append tells the feed of a change.
func (s *Service) append(tx *store.Tx, actor, what string, subject id.ID, changed ...string) error {
	_, err := s.log.Append(tx, event.New{Type: what, Subject: subject, Changed: changed, Actor: actor})
	return err
}

// place names where a secret of an app or an instance lives, for sealing.
func place(of id.ID, what string) string { return "app:" + of.String() + ":" + what }

const (
	ofSecret  = "client secret"
	ofPrivate = "private key"
	ofToken   = "api key"
)

const appColumns = `id, developer, app_key, name, base_url, client_id, scopes, reports, buttons, prospect_fields, user_fields, push,
	created_at, updated_at, deleted_at, client_secret, private_key`

// appRow is an app with its sealed secrets.
type appRow struct {
	App
	secret, private string
}

func scanApp(r interface{ Scan(...any) error }) (a appRow, err error) {
	return a, r.Scan(&a.ID, &a.Developer, &a.Key, store.JSON(&a.Name), &a.BaseURL, &a.ClientID, store.JSON(&a.Scopes), store.JSON(&a.Reports),
		store.JSON(&a.Buttons), store.JSON(&a.ProspectFields), store.JSON(&a.UserFields), &a.Push,
		store.Time(&a.CreatedAt), store.Time(&a.UpdatedAt), store.Time(&a.DeletedAt), &a.secret, &a.private)
}

// loadApp returns an app, a deleted one too. NotFound.
func loadApp(r store.Reader, app id.ID) (appRow, error) {
	a, err := scanApp(r.QueryRow("SELECT "+appColumns+" FROM app WHERE tenant_id=? AND id=?", app))
	if ok, err := store.Found(err); err != nil || !ok {
		return appRow{}, unknown(err, "app")
	}
	return a, nil
}

// living is loadApp for one that was not deleted.
func living(r store.Reader, app id.ID) (appRow, error) {
	a, err := loadApp(r, app)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown("app")
	}
	return a, err
}

// unknown is err, or NotFound of a noun without one.
func unknown(err error, noun string) error {
	if err == nil {
		err = fault.Unknown(noun)
	}
	return err
}

// apps returns the tenant's living apps, oldest first. There are at most maxApps.
func apps(r store.Reader) ([]appRow, error) {
	rows, err := r.Query("SELECT " + appColumns + " FROM app WHERE tenant_id=? AND deleted_at IS NULL ORDER BY created_at, id")
	return store.Collect(rows, err, func(r *sql.Rows) (appRow, error) { return scanApp(r) })
}

func insertApp(tx *store.Tx, a appRow) (bool, error) {
	n, err := tx.Exec(`INSERT INTO app (tenant_id, id, developer, app_key, name, base_url, client_id, client_secret, private_key, scopes, reports, buttons,
		prospect_fields, user_fields, push, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		a.ID, a.Developer, a.Key, store.JSON(a.Name), a.BaseURL, a.ClientID, a.secret, a.private, store.JSON(list(a.Scopes)), store.JSON(list(a.Reports)),
		store.JSON(list(a.Buttons)), store.JSON(list(a.ProspectFields)), store.JSON(list(a.UserFields)), a.Push, a.CreatedAt, a.UpdatedAt)
	return n == 1, err
}

func updateApp(tx *store.Tx, a appRow) error {
	_, err := tx.Exec(`UPDATE app SET name=?, base_url=?, client_id=?, client_secret=?, private_key=?, scopes=?, reports=?, buttons=?, prospect_fields=?,
		user_fields=?, push=?, updated_at=? WHERE tenant_id=? AND id=?`,
		store.JSON(a.Name), a.BaseURL, a.ClientID, a.secret, a.private, store.JSON(list(a.Scopes)), store.JSON(list(a.Reports)), store.JSON(list(a.Buttons)),
		store.JSON(list(a.ProspectFields)), store.JSON(list(a.UserFields)), a.Push, a.UpdatedAt, a.ID)
	return err
}

// list is never nil, so that it is stored as a list.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

const instanceColumns = `id, app_id, group_id, user_id, key_id, name, state, enabled, told_enabled, token, next_token, owes, reached, version, attempt, tries,
	next_at, gave_up_at, last_error, installed_at, uninstalled_at, created_at, updated_at`

// row is an instance with what people do not see of it.
type row struct {
	Instance
	told        *bool  // what the app was last told of enabled, nil: nothing
	token, next string // sealed: the key that the app has, and the one it is to take
	reached     bool   // a call of the installation may have reached the app
	version     int    // grows when something new is owed
	attempt     int    // grows with every try; an older try's outcome does not count
	gaveUpAt    time.Time
	withNext    bool // of a try, not stored: it installs the app with the new key
}

func scanInstance(r interface{ Scan(...any) error }) (i row, err error) {
	err = r.Scan(&i.ID, &i.App, &i.Group, &i.User, &i.Key, &i.Name, &i.State, &i.Enabled, &i.told, &i.token, &i.next, &i.Owes, &i.reached, &i.version, &i.attempt,
		&i.Tries, store.Time(&i.NextAt), store.Time(&i.gaveUpAt), &i.LastError, store.Time(&i.InstalledAt), store.Time(&i.UninstalledAt),
		store.Time(&i.CreatedAt), store.Time(&i.UpdatedAt))
	i.GaveUp, i.Refreshing = !i.gaveUpAt.IsZero(), i.next != "" && i.State != Uninstalled
	return i, err
}

// load returns an instance, an uninstalled one too. NotFound.
func load(r store.Reader, instance id.ID) (row, error) {
	i, err := scanInstance(r.QueryRow("SELECT "+instanceColumns+" FROM app_instance WHERE tenant_id=? AND id=?", instance))
	if ok, err := store.Found(err); err != nil || !ok {
		return row{}, unknown(err, "app instance")
	}
	return i, nil
}

// locked is load behind the instance's lock.
func locked(tx *store.Tx, instance id.ID) (row, error) {
	if err := tx.Lock("app_instance", instance.String()); err != nil {
		return row{}, err
	}
	return load(tx, instance)
}

func instances(r store.Reader, rest string, args ...any) ([]row, error) {
	rows, err := r.Query("SELECT "+instanceColumns+" FROM app_instance WHERE tenant_id=? AND "+rest, args...)
	return store.Collect(rows, err, func(r *sql.Rows) (row, error) { return scanInstance(r) })
}

func insertInstance(tx *store.Tx, i row) (bool, error) {
	n, err := tx.Exec(`INSERT INTO app_instance (tenant_id, `+instanceColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		i.ID, i.App, i.Group, i.User, i.Key, i.Name, i.State, i.Enabled, i.told, i.token, i.next, i.Owes, i.reached, i.version, i.attempt, i.Tries,
		moment(i.NextAt), moment(i.gaveUpAt), i.LastError, moment(i.InstalledAt), moment(i.UninstalledAt), i.CreatedAt, i.UpdatedAt)
	return n == 1, err
}

func updateInstance(tx *store.Tx, i row) error {
	_, err := tx.Exec(`UPDATE app_instance SET user_id=?, name=?, state=?, enabled=?, told_enabled=?, token=?, next_token=?, owes=?, reached=?, version=?, attempt=?,
		tries=?, next_at=?, gave_up_at=?, last_error=?, installed_at=?, uninstalled_at=?, updated_at=? WHERE tenant_id=? AND id=?`,
		i.User, i.Name, i.State, i.Enabled, i.told, i.token, i.next, i.Owes, i.reached, i.version, i.attempt, i.Tries,
		moment(i.NextAt), moment(i.gaveUpAt), i.LastError, moment(i.InstalledAt), moment(i.UninstalledAt), tx.Now(), i.ID)
	return err
}

// moment stores the zero time as NULL.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
