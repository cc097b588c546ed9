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
	db    *store.DB
	cache *store.Recent[Key]
}

// New returns the room's service. It listens for revocations as long as db is
// open.
func New(db *store.DB, tenants *tenant.Service) *Service {
	s := &Service{db: db, cache: store.NewRecent[Key](db, topic, keepFor)}
	tenants.OnChange(func(string) { s.cache.Forget("") })
	return s
}

// Create makes a key and returns its token, which is stored nowhere. Faults:
// Invalid naming "face", "scopes" or "name"; NotFound for an unknown tenant.
func (s *Service) Create(ctx context.Context, tenant id.ID, n NewKey) (token string, k Key, err error) {
	if !slices.Contains(Faces, n.Face) {
		return "", Key{}, fault.Field("face", "a key is for one of %s", strings.Join(Faces, ", "))
	}
	scopes := slices.Clone(n.Scopes)
	if len(scopes) == 0 {
		scopes = []string{n.Face + ":*"}
	}
	if len(scopes) > 100 {
		return "", Key{}, fault.Field("scopes", "a key carries at most 100 scopes")
	}
	for _, sc := range scopes {
		if sc == "" || len(sc) > 100 || strings.ContainsAny(sc, " \t\r\n\x00") || !utf8.ValidString(sc) {
			return "", Key{}, fault.Field("scopes", "a scope is a word such as %s:*", n.Face)
		}
	}
	name := strings.TrimSpace(n.Name)
	if len(name) > 200 || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return "", Key{}, fault.Field("name", "the name must be plain text of at most 200 characters")
	}
	prefix := "parley_" + n.Face + "_"
	if n.Face == "platform" {
		prefix = "erix_"
	}
	token = secret.NewToken(prefix, tokenBytes)
	kid, hash := id.New(), secret.Hash(token)
	k, err = store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Key, error) {
		k := Key{ID: kid, Tenant: tenant, Face: n.Face, Scopes: scopes, Group: n.Group, User: n.User, Name: name, CreatedAt: tx.Now()}
		ok, err := store.Found(tx.QueryRow("SELECT code, status FROM tenant WHERE tenant_id=?").Scan(&k.TenantCode, &k.TenantStatus))
		if err != nil {
			return k, err
		}
		if !ok {
			return k, fault.Unknown("tenant")
		}
		_, err = tx.Exec("INSERT INTO access_key (tenant_id, id, hash, face, scopes, group_id, user_id, name, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
			k.ID, hash, k.Face, store.JSON(k.Scopes), k.Group, k.User, k.Name, k.CreatedAt)
		return k, err
	})
	if err != nil {
		return "", Key{}, err
	}
	return token, k, nil
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
	return s.db.Write(ctx, tenant, func(tx *store.Tx) error {
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
	})
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
