// Package access owns the keys by which API clients prove who they are. A key
// belongs to one face and carries scopes, which only that face understands.
// Keys are stored as SHA-256 and shown once. Faces authenticate through it; the
// admin API and the command line make and revoke keys.
package access

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Faces are the APIs that a key can be for.
var Faces = []string{"platform", "sales", "targeting", "bot", "admin"}

// tokenBytes is the randomness of a token; platform keys have 64 hex digits
// (seed 000, API key format).
const tokenBytes = 32

// topic is the wake that follows a revocation; its key is the token's hash.
const topic = "access"

// keepFor bounds how long a node may miss a revocation when the database's
// notifications are lost.
const keepFor = 5 * time.Second

// Key is what a token stands for.
type Key struct {
	ID           id.ID
	Tenant       id.ID
	TenantCode   string
	TenantStatus string
	Face         string
	Scopes       []string
	Group, User  id.ID // zero: not bound to one
	Name         string
	CreatedAt    time.Time
	RevokedAt    time.Time // zero: valid
}

// NewKey describes a key to make. Without Scopes it may do everything its face
// offers.
type NewKey struct {
	Face        string
	Scopes      []string
	Group, User id.ID
	Name        string
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	tenants *tenant.Service
	cache   *store.Recent[Key]
}

// New returns the room's service. It listens for revocations as long as db is
// open.
func New(db *store.DB, tenants *tenant.Service) *Service {
	s := &Service{db: db, tenants: tenants, cache: store.NewRecent[Key](db, topic, keepFor)}
	tenants.OnChange(func(string) { s.cache.Forget("") })
	return s
}

// checked returns n in its stored form, or says what is wrong.
func (n NewKey) checked() (NewKey, error) {
	if !slices.Contains(Faces, n.Face) {
		return n, fault.Field("face", "a key is for one of %s", strings.Join(Faces, ", "))
	}
	n.Scopes = slices.Clone(n.Scopes)
	if len(n.Scopes) == 0 {
		n.Scopes = []string{n.Face + ":*"}
	}
	if len(n.Scopes) > 100 {
		return n, fault.Field("scopes", "a key carries at most 100 scopes")
	}
	for _, sc := range n.Scopes {
		if sc == "" || len(sc) > 100 || strings.ContainsAny(sc, " \t\r\n\x00") || !utf8.ValidString(sc) {
			return n, fault.Field("scopes", "a scope is a word such as %s:*", n.Face)
		}
	}
	n.Name = strings.TrimSpace(n.Name)
	if len(n.Name) > 200 || strings.ContainsRune(n.Name, 0) || !utf8.ValidString(n.Name) {
		return n, fault.Field("name", "the name must be plain text of at most 200 characters")
	}
	return n, nil
}

// made is a key with the token that opens it.
type made struct {
	token string
	key   Key
}

// Create makes a key and returns its token, which is stored nowhere. Faults:
// Invalid naming "face", "scopes" or "name"; NotFound for an unknown tenant.
func (s *Service) Create(ctx context.Context, tenant id.ID, n NewKey) (token string, k Key, err error) {
	m, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (made, error) { return create(tx, n) })
	return m.token, m.key, err
}

func create(tx *store.Tx, n NewKey) (made, error) {
	n, err := n.checked()
	if err != nil {
		return made{}, err
	}
	prefix := "parley_" + n.Face + "_"
	if n.Face == "platform" {
		prefix = "erix_"
	}
	m := made{token: secret.NewToken(prefix, tokenBytes),
		key: Key{ID: id.New(), Tenant: tx.Tenant(), Face: n.Face, Scopes: n.Scopes, Group: n.Group, User: n.User, Name: n.Name, CreatedAt: tx.Now()}}
	ok, err := store.Found(tx.QueryRow("SELECT code, status FROM tenant WHERE tenant_id=?").Scan(&m.key.TenantCode, &m.key.TenantStatus))
	if err != nil {
		return made{}, err
	}
	if !ok {
		return made{}, fault.Unknown("tenant")
	}
	_, err = tx.Exec("INSERT INTO access_key (tenant_id, id, hash, face, scopes, group_id, user_id, name, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
		m.key.ID, secret.Hash(m.token), m.key.Face, store.JSON(m.key.Scopes), m.key.Group, m.key.User, m.key.Name, m.key.CreatedAt)
	return m, err
}

// SignUp makes a tenant together with its first platform key, and returns the
// key's token, which is stored nowhere. Faults: those of tenant.Create.
func (s *Service) SignUp(ctx context.Context, n tenant.NewTenant) (t tenant.Tenant, token string, err error) {
	type both struct {
		t tenant.Tenant
		m made
	}
	b, err := store.Write(ctx, s.db, id.New(), func(tx *store.Tx) (b both, err error) {
		if b.t, err = s.tenants.CreateIn(tx, n); err != nil {
			return b, err
		}
		b.m, err = create(tx, NewKey{Face: "platform", Name: firstKey})
		return b, err
	})
	return b.t, b.m.token, err
}

// firstKey names the key that a tenant begins with.
const firstKey = "first key"

// Rotate puts a new key in the place of another, with its face, scopes, group,
// user and name, and ends the other at once. NotFound for a key that the tenant
// does not have or that was revoked.
func (s *Service) Rotate(ctx context.Context, tenant, key id.ID) (token string, k Key, err error) {
	m, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (made, error) {
		if err := tx.Lock("access", key.String()); err != nil {
			return made{}, err
		}
		old, err := scan(tx.QueryRow("SELECT "+columns+" FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.tenant_id=? AND k.id=?", key))
		if found, ferr := store.Found(err); ferr != nil {
			return made{}, ferr
		} else if !found || !old.RevokedAt.IsZero() {
			return made{}, fault.Unknown("key")
		}
		if err := revoke(tx, key); err != nil {
			return made{}, err
		}
		return create(tx, NewKey{Face: old.Face, Scopes: old.Scopes, Group: old.Group, User: old.User, Name: old.Name})
	})
	return m.token, m.key, err
}

// RotateFirst is Rotate for the platform key that the tenant began with, or for
// its follower: the oldest valid one. A tenant without one gets one.
func (s *Service) RotateFirst(ctx context.Context, tenant id.ID) (token string, k Key, err error) {
	first, err := s.First(ctx, tenant)
	if err != nil {
		return "", Key{}, err
	}
	if first.ID.IsZero() {
		return s.Create(ctx, tenant, NewKey{Face: "platform", Name: firstKey})
	}
	return s.Rotate(ctx, tenant, first.ID)
}

// First returns the platform key that the tenant began with or its follower: the
// oldest valid one of that name; a zero Key when there is none.
func (s *Service) First(ctx context.Context, tenant id.ID) (Key, error) {
	list, err := s.List(ctx, tenant)
	for _, k := range list {
		if k.Face == "platform" && k.Name == firstKey && k.RevokedAt.IsZero() {
			return k, nil
		}
	}
	return Key{}, err
}

// Authenticate returns the key that a token of a face stands for. A token that
// is missing, unknown, revoked or of another face is Unauthorized, all alike; a
// suspended or terminated tenant is Forbidden (reference §1.1). A positive
// answer is kept for a few seconds; a revocation or a change of the tenant ends
// it on every node at once.
func (s *Service) Authenticate(ctx context.Context, face, token string) (Key, error) {
	if token == "" || len(token) > 200 {
		return Key{}, unauthorized()
	}
	hash := secret.Hash(token)
	k, version, ok := s.cache.Get(hash)
	if !ok {
		var stored string
		row := s.db.Read(ctx, id.Zero).All().QueryRow("SELECT "+columns+", k.hash FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.hash=?", hash)
		var err error
		k, err = scan(row, &stored)
		if ok, err = store.Found(err); err != nil {
			return Key{}, err
		}
		if !ok || !secret.Equal(stored, hash) || !k.RevokedAt.IsZero() {
			return Key{}, unauthorized()
		}
		s.cache.Put(hash, k, version)
	}
	if k.Face != face {
		return Key{}, unauthorized()
	}
	switch k.TenantStatus {
	case tenant.Suspended, tenant.Terminated:
		return Key{}, fault.New(fault.Forbidden, "this account is %s; ask the operator of the server", k.TenantStatus).Because("tenant")
	}
	k.Scopes = slices.Clone(k.Scopes) // what the cache holds stays as it is
	return k, nil
}

func unauthorized() error {
	return fault.New(fault.Unauthorized, "the API key is missing or not valid; send a valid key")
}

// Revoke ends a key for good. Revoking it again changes nothing. NotFound for a
// key that the tenant does not have.
func (s *Service) Revoke(ctx context.Context, tenant, key id.ID) error {
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error { return revoke(tx, key) })
}

func revoke(tx *store.Tx, key id.ID) error {
	var hash string
	ok, err := store.Found(tx.QueryRow("SELECT hash FROM access_key WHERE tenant_id=? AND id=?", key).Scan(&hash))
	if err != nil {
		return err
	}
	if !ok {
		return fault.Unknown("key")
	}
	if _, err := tx.Exec("UPDATE access_key SET revoked_at=? WHERE tenant_id=? AND id=? AND revoked_at IS NULL", tx.Now(), key); err != nil {
		return err
	}
	tx.Wake(topic, hash)
	return nil
}

// List returns the tenant's keys, revoked ones too, oldest first.
func (s *Service) List(ctx context.Context, tenant id.ID) ([]Key, error) {
	rows, err := s.db.Read(ctx, tenant).Query("SELECT " + columns + " FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.tenant_id=? ORDER BY k.created_at, k.id")
	return store.Collect(rows, err, func(r *sql.Rows) (Key, error) { return scan(r) })
}

const columns = "k.id, k.tenant_id, t.code, t.status, k.face, k.scopes, k.group_id, k.user_id, k.name, k.created_at, k.revoked_at"

func scan(r interface{ Scan(...any) error }, more ...any) (Key, error) {
	var k Key
	err := r.Scan(append([]any{&k.ID, &k.Tenant, &k.TenantCode, &k.TenantStatus, &k.Face, store.JSON(&k.Scopes), &k.Group, &k.User, &k.Name,
		store.Time(&k.CreatedAt), store.Time(&k.RevokedAt)}, more...)...)
	return k, err
}
