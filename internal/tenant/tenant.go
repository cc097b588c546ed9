// Package tenant owns the tenants, their settings and their sealed secrets. The
// admin API makes them; every other room asks it for settings and secrets, and
// channel accounts seal their own credentials through it.
package tenant

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// Statuses of a tenant. Only active and pending ones may use their keys.
const (
	Active     = "active"
	Suspended  = "suspended"
	Pending    = "pending"
	Terminated = "terminated"
)

// WebhookSecret names the secret that signs webhooks and callbacks; every
// tenant gets one when it is made.
const WebhookSecret = "webhook_secret"

// topic is the wake that follows every change of a tenant; its key is the id.
const topic = "tenant"

// Tenant is one customer of this server.
type Tenant struct {
	ID        id.ID
	Code      string // what API clients send, upper case
	Name      string
	Status    string
	Settings  Settings // with defaults applied
	CreatedAt time.Time
	UpdatedAt time.Time
}

// NewTenant describes a tenant to make. Without a Code one is made up.
type NewTenant struct {
	Code string
	Name string
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	box   *secret.Box
	cache *store.Recent[Settings]
}

// New returns the room's service. It listens for changes as long as db is open.
func New(db *store.DB, box *secret.Box) *Service {
	return &Service{db: db, box: box, cache: store.NewRecent[Settings](db, topic, cacheTime)}
}

// OnChange calls f with the id of a tenant whose row changed, on any node.
func (s *Service) OnChange(f func(tenant string)) (cancel func()) {
	return s.db.OnWake(topic, f)
}

var codeForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_-]{2,39}$`)

// codeLetters are A-Z and 2-9 without the look-alikes I and O (seed 000, Client
// code format). There are 32, so a random byte picks one evenly.
const codeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

func makeCode() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	for i := range b {
		b[i] = codeLetters[b[i]%32]
	}
	return "ERIX_CLNT_" + string(b[:])
}

// Create makes an active tenant with a fresh webhook secret. Faults: Invalid
// naming "name" or "code"; Conflict when the code is taken.
func (s *Service) Create(ctx context.Context, n NewTenant) (Tenant, error) {
	name := strings.TrimSpace(n.Name)
	if name == "" {
		return Tenant{}, fault.Missing("name")
	}
	if utf8.RuneCountInString(name) > 200 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return Tenant{}, fault.Field("name", "the name must be plain text of at most 200 characters")
	}
	given := strings.ToUpper(strings.TrimSpace(n.Code))
	if given != "" && !codeForm.MatchString(given) {
		return Tenant{}, fault.Field("code", "a code must be 3 to 40 letters, digits, _ or -")
	}
	signing := secret.NewToken("whsec_", 32)
	tid := id.New()
	return store.Write(ctx, s.db, tid, func(tx *store.Tx) (Tenant, error) {
		t := Tenant{ID: tid, Code: given, Name: name, Status: Active, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		for try := 0; ; try++ {
			if given == "" {
				t.Code = makeCode()
			}
			n, err := tx.Exec("INSERT INTO tenant (tenant_id, code, name, status, settings, created_at, updated_at) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
				t.Code, t.Name, t.Status, store.JSON(t.Settings), t.CreatedAt, t.UpdatedAt)
			if err != nil {
				return t, err
			}
			if n == 1 {
				break
			}
			if given != "" {
				return t, fault.New(fault.Conflict, "the code %s is taken; choose another", given).Because("code")
			}
			if try == 20 {
				return t, fmt.Errorf("tenant: found no free code")
			}
		}
		t.Settings = t.Settings.withDefaults()
		return t, s.SetSecretIn(tx, WebhookSecret, signing)
	})
}

// SetStatus changes a tenant's status. Faults: Invalid naming "status",
// NotFound.
func (s *Service) SetStatus(ctx context.Context, tenant id.ID, status string) (Tenant, error) {
	switch status {
	case Active, Suspended, Pending, Terminated:
	default:
		return Tenant{}, fault.Field("status", "a status is one of active, suspended, pending, terminated")
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Tenant, error) {
		if _, err := tx.Exec("UPDATE tenant SET status=?, updated_at=? WHERE tenant_id=?", status, tx.Now()); err != nil {
			return Tenant{}, err
		}
		tx.Wake(topic, tenant.String())
		return s.Get(tx)
	})
}

const columns = "tenant_id, code, name, status, settings, created_at, updated_at"

type row interface{ Scan(dest ...any) error }

func scan(r row) (Tenant, error) {
	var t Tenant
	err := r.Scan(&t.ID, &t.Code, &t.Name, &t.Status, store.JSON(&t.Settings), store.Time(&t.CreatedAt), store.Time(&t.UpdatedAt))
	t.Settings = t.Settings.withDefaults()
	return t, err
}

// Get returns the tenant that r is bound to, or NotFound.
func (s *Service) Get(r store.Reader) (Tenant, error) {
	return found(scan(r.QueryRow("SELECT " + columns + " FROM tenant WHERE tenant_id=?")))
}

// ByID returns a tenant, or NotFound.
func (s *Service) ByID(ctx context.Context, tenant id.ID) (Tenant, error) {
	return s.Get(s.db.Read(ctx, tenant))
}

// ByCode returns the tenant with a code, in any case of letters, or NotFound.
func (s *Service) ByCode(ctx context.Context, code string) (Tenant, error) {
	code = strings.ToUpper(strings.TrimSpace(code))
	if !codeForm.MatchString(code) {
		return Tenant{}, fault.Unknown("tenant")
	}
	return found(scan(s.db.Read(ctx, id.Zero).All().QueryRow("SELECT "+columns+" FROM tenant WHERE code=?", code)))
}

func found(t Tenant, err error) (Tenant, error) {
	if ok, err := store.Found(err); err != nil {
		return Tenant{}, err
	} else if !ok {
		return Tenant{}, fault.Unknown("tenant")
	}
	return t, nil
}

// List returns every tenant, oldest first.
func (s *Service) List(ctx context.Context) ([]Tenant, error) {
	rows, err := s.db.Read(ctx, id.Zero).All().Query("SELECT " + columns + " FROM tenant ORDER BY created_at, tenant_id")
	return store.Collect(rows, err, func(r *sql.Rows) (Tenant, error) { return scan(r) })
}
