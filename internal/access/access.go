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
	// Enabled keys let their holder in; others are there and wait.
	Enabled bool
	// Provider is the word under which what comes through the key is known (sales
	// reference §3.5, providerKey); never "".
	Provider  string
	Language  string // a language tag such as "es" or "pt-BR", ""
	Rate      int    // requests a minute, 0: what the server says
	CreatedAt time.Time
	RevokedAt time.Time // zero: valid
	// Proven says that the key has no token of its own: see NewKey.
	Proven bool
}

// NewKey describes a key to make. Without Scopes it may do everything its face
// offers; it is enabled unless Disabled.
type NewKey struct {
	Face        string
	Scopes      []string
	Group, User id.ID
	Name        string
	Disabled    bool
	Provider    string // "": made of the name
	Language    string
	Rate        int // requests a minute, 0: what the server says
	// Proven makes a key without a token: whoever proves in another way that it is
	// his, such as by a signature, is let in by AuthenticateID.
	Proven bool
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	tenants *tenant.Service
	cache   *store.Recent[Key]
	made    []func(tx *store.Tx, k Key) error
	bound   []func(tx *store.Tx, group, agent id.ID) error
}

// New returns the room's service. It listens for revocations as long as db is
// open.
func New(db *store.DB, tenants *tenant.Service) *Service {
	return &Service{db: db, tenants: tenants, cache: store.NewRecent[Key](db, topic, keepFor).ClearedBy(tenant.Topic)}
}

// checked returns n in its stored form, or says what is wrong.
func (n NewKey) checked() (NewKey, error) {
	if !slices.Contains(Faces, n.Face) {
		return n, fault.Field("face", "a key is for one of %s", strings.Join(Faces, ", "))
	}
	var err error
	if n.Scopes, err = scopes(n.Face, n.Scopes); err != nil {
		return n, err
	}
	if n.Name, err = plain("name", n.Name, 200); err != nil {
		return n, err
	}
	if n.Provider, err = plain("provider", n.Provider, 100); err != nil {
		return n, err
	}
	if n.Language, err = language(n.Language); err != nil {
		return n, err
	}
	return n, checkRate(n.Rate)
}

// made is a key with the token that opens it.
type made struct {
	token string
	key   Key
}

// Create makes a key and returns its token, which is stored nowhere. Faults:
// Invalid naming "face", "scopes", "name", "provider", "language" or "rate";
// NotFound for an unknown tenant.
func (s *Service) Create(ctx context.Context, tenant id.ID, n NewKey) (token string, k Key, err error) {
	m, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (made, error) { return s.create(tx, n) })
	return m.token, m.key, err
}

// CreateIn is Create inside a transaction.
func (s *Service) CreateIn(tx *store.Tx, n NewKey) (token string, k Key, err error) {
	m, err := s.create(tx, n)
	return m.token, m.key, err
}

func (s *Service) create(tx *store.Tx, n NewKey) (made, error) {
	n, err := n.checked()
	if err != nil {
		return made{}, err
	}
	return s.insert(tx, n, s.bind)
}

// insert makes a checked key; bind is asked whether it may be bound to its group and
// agent.
func (s *Service) insert(tx *store.Tx, n NewKey, bind func(tx *store.Tx, group, agent id.ID) error) (made, error) {
	m := made{
		key: Key{ID: id.New(), Tenant: tx.Tenant(), Face: n.Face, Scopes: n.Scopes, Group: n.Group, User: n.User, Name: n.Name,
			Enabled: !n.Disabled, Provider: n.Provider, Language: n.Language, Rate: n.Rate, CreatedAt: tx.Now(), Proven: n.Proven}}
	hash := proven(m.key.ID)
	if !n.Proven {
		m.token = newToken(n.Face)
		hash = secret.Hash(m.token)
	}
	ok, err := store.Found(tx.QueryRow("SELECT code, status FROM tenant WHERE tenant_id=?").Scan(&m.key.TenantCode, &m.key.TenantStatus))
	if err != nil {
		return made{}, err
	}
	if !ok {
		return made{}, fault.Unknown("tenant")
	}
	if err := bind(tx, m.key.Group, m.key.User); err != nil {
		return made{}, err
	}
	_, err = tx.Exec("INSERT INTO access_key (tenant_id, id, hash, face, scopes, group_id, user_id, name, enabled, provider, language, rate, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
		m.key.ID, hash, m.key.Face, store.JSON(m.key.Scopes), m.key.Group, m.key.User, m.key.Name,
		m.key.Enabled, m.key.Provider, m.key.Language, m.key.Rate, m.key.CreatedAt)
	if err != nil {
		return m, err
	}
	m.key.name()
	for _, f := range s.made {
		if err := f(tx, m.key); err != nil {
			return m, err
		}
	}
	return m, nil
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
		b.m, err = s.create(tx, NewKey{Face: "platform", Name: firstKey})
		return b, err
	})
	return b.t, b.m.token, err
}

// firstKey names the key that a tenant begins with.
const firstKey = "first key"

// Rotate puts a new key in the place of another, with its face, scopes, group,
// user, name and settings, and ends the other at once; also for a user who has left.
// NotFound for a key that the tenant does not have or that was revoked.
func (s *Service) Rotate(ctx context.Context, tenant, key id.ID) (token string, k Key, err error) {
	m, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (made, error) {
		if err := lock(tx, key); err != nil {
			return made{}, err
		}
		old, err := valid(tx, key)
		if err != nil {
			return made{}, err
		}
		if old.Proven {
			return made{}, unrenewable()
		}
		if err := revoke(tx, key); err != nil {
			return made{}, err
		}
		stays := func(*store.Tx, id.ID, id.ID) error { return nil } // bound as the other was
		return s.insert(tx, NewKey{Face: old.Face, Scopes: old.Scopes, Group: old.Group, User: old.User, Name: old.Name,
			Disabled: !old.Enabled, Provider: old.Provider, Language: old.Language, Rate: old.Rate}, stays)
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
// suspended or terminated tenant is Forbidden (reference §1.1) with Reason
// "tenant", a disabled key with Reason "disabled". An answer is kept for a few
// seconds; a change of the key or of the tenant ends it on every node at once.
func (s *Service) Authenticate(ctx context.Context, face, token string) (Key, error) {
	if token == "" || len(token) > 200 {
		return Key{}, unauthorized()
	}
	return s.authenticate(ctx, face, secret.Hash(token))
}

func (s *Service) authenticate(ctx context.Context, face, hash string) (Key, error) {
	k, version, ok := s.cache.Get(hash)
	if !ok {
		var stored string
		row := s.db.Read(ctx, id.Zero).All().QueryRow("SELECT "+columns+", k.hash FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.hash=?", hash)
		var err error
		k, err = scan(row, &stored)
		if ok, err = store.Found(err); err != nil {
			return Key{}, err
		}
		if !ok {
			if k, ok, err = s.offered(ctx, hash); err != nil {
				return Key{}, err
			}
			stored = hash
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
	if !k.Enabled {
		return Key{}, fault.New(fault.Forbidden, "this key is disabled; enable it, or use another one").Because("disabled")
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
	if err := lock(tx, key); err != nil { // a token that it gets at this moment ends too
		return err
	}
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
	return toldOffer(tx, key)
}

// List returns the tenant's keys, revoked ones too, oldest first.
func (s *Service) List(ctx context.Context, tenant id.ID) ([]Key, error) {
	rows, err := s.db.Read(ctx, tenant).Query("SELECT " + columns + " FROM access_key k JOIN tenant t ON t.tenant_id=k.tenant_id WHERE k.tenant_id=? ORDER BY k.created_at, k.id")
	return store.Collect(rows, err, func(r *sql.Rows) (Key, error) { return scan(r) })
}

const columns = "k.id, k.tenant_id, t.code, t.status, k.face, k.scopes, k.group_id, k.user_id, k.name, k.enabled, k.provider, k.language, k.rate, k.created_at, k.revoked_at, k.hash = 'id:' || k.id"

func scan(r interface{ Scan(...any) error }, more ...any) (Key, error) {
	var k Key
	err := r.Scan(append([]any{&k.ID, &k.Tenant, &k.TenantCode, &k.TenantStatus, &k.Face, store.JSON(&k.Scopes), &k.Group, &k.User, &k.Name,
		&k.Enabled, &k.Provider, &k.Language, &k.Rate, store.Time(&k.CreatedAt), store.Time(&k.RevokedAt), &k.Proven}, more...)...)
	k.name()
	return k, err
}
