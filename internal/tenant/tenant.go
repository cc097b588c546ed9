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

// Topic is the wake that follows every change of a tenant; its key is the id.
const Topic = "tenant"

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

// NewTenant describes a tenant to make. Without a Code one is made up; without a
// Status it is active.
type NewTenant struct {
	Code    string
	Name    string
	Status  string
	Profile Profile
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	box   *secret.Box
	cache *store.Recent[Settings]
}

// New returns the room's service. It listens for changes as long as db is open.
func New(db *store.DB, box *secret.Box) *Service {
	return &Service{db: db, box: box, cache: store.NewRecent[Settings](db, Topic, cacheTime)}
}

// OnChange calls f with the id of a tenant whose row changed, on any node.
func (s *Service) OnChange(f func(tenant string)) (cancel func()) {
	return s.db.OnWake(Topic, f)
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

// Create makes a tenant with a fresh webhook secret. Faults: Invalid naming
// "name", "code", "status" or "profile"; Conflict when the code is taken.
func (s *Service) Create(ctx context.Context, n NewTenant) (Tenant, error) {
	n, err := n.checked()
	if err != nil {
		return Tenant{}, err
	}
	return store.Write(ctx, s.db, id.New(), func(tx *store.Tx) (Tenant, error) { return s.CreateIn(tx, n) })
}

// checked returns n in its stored form, or says what is wrong.
func (n NewTenant) checked() (NewTenant, error) {
	var err error
	if n.Name, err = cleanName(n.Name); err != nil {
		return n, err
	}
	n.Code = strings.ToUpper(strings.TrimSpace(n.Code))
	if n.Code != "" && !codeForm.MatchString(n.Code) {
		return n, fault.Field("code", "a code must be 3 to 40 letters, digits, _ or -")
	}
	if n.Status == "" {
		n.Status = Active
	}
	return n, checkStatus(n.Status)
}

func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", fault.Missing("name")
	}
	if utf8.RuneCountInString(name) > 200 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", fault.Field("name", "the name must be plain text of at most 200 characters")
	}
	return name, nil
}

// CreateIn is Create inside a transaction that is bound to a new id, which
// becomes the tenant's.
func (s *Service) CreateIn(tx *store.Tx, n NewTenant) (Tenant, error) {
	n, err := n.checked()
	if err != nil {
		return Tenant{}, err
	}
	profile, err := n.Profile.stored()
	if err != nil {
		return Tenant{}, err
	}
	t := Tenant{ID: tx.Tenant(), Code: n.Code, Name: n.Name, Status: n.Status, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	for try := 0; ; try++ {
		if n.Code == "" {
			t.Code = makeCode()
		}
		made, err := tx.Exec("INSERT INTO tenant (tenant_id, code, name, status, settings, profile, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
			t.Code, t.Name, t.Status, store.JSON(t.Settings), profile, t.CreatedAt, t.UpdatedAt)
		if err != nil {
			return t, err
		}
		if made == 1 {
			tx.Wake(Topic, t.ID.String())
			break
		}
		if n.Code != "" {
			return t, fault.New(fault.Conflict, "the code %s is taken; choose another", n.Code).Because("code")
		}
		if try == 20 {
			return t, fmt.Errorf("tenant: found no free code")
		}
	}
	t.Settings = t.Settings.withDefaults()
	return t, s.SetSecretIn(tx, WebhookSecret, secret.NewToken("whsec_", 32))
}

// FreeCode returns a client code that no tenant has now.
func (s *Service) FreeCode(ctx context.Context) (string, error) {
	for range 20 {
		code := makeCode()
		if _, err := s.ByCode(ctx, code); fault.As(err) != nil && fault.As(err).Code == fault.NotFound {
			return code, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("tenant: found no free code")
}

// Edit is what Change makes of a tenant; nil fields stay.
type Edit struct {
	Name, Status *string
	// Profile and Settings change what is noted of the tenant and the settings that
	// were set (zero: the default holds); they may run more than once.
	Profile  func(*Profile) error
	Settings func(*Settings)
}

// Change gives a tenant another name, status, profile or settings, all or nothing;
// its code and keys stay. Faults: Invalid naming "name", "status", "profile" or the
// setting, those of e.Profile, NotFound.
func (s *Service) Change(ctx context.Context, tenant id.ID, e Edit) (Tenant, error) {
	if e.Name != nil {
		name, err := cleanName(*e.Name)
		if err != nil {
			return Tenant{}, err
		}
		e.Name = &name
	}
	if e.Status != nil {
		if err := checkStatus(*e.Status); err != nil {
			return Tenant{}, err
		}
	}
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (Tenant, error) {
		if e.Profile != nil {
			if err := editProfile(tx, tenant, e.Profile); err != nil {
				return Tenant{}, err
			}
		}
		if e.Settings != nil {
			if err := editSettings(tx, tenant, e.Settings); err != nil {
				return Tenant{}, err
			}
		}
		if e.Name != nil || e.Status != nil {
			if _, err := tx.Exec("UPDATE tenant SET name=COALESCE(?,name), status=COALESCE(?,status), updated_at=? WHERE tenant_id=?", e.Name, e.Status, tx.Now()); err != nil {
				return Tenant{}, err
			}
		}
		tx.Wake(Topic, tenant.String())
		return s.Get(tx)
	})
}

func checkStatus(status string) error {
	switch status {
	case Active, Suspended, Pending, Terminated:
		return nil
	}
	return fault.Field("status", "a status is one of active, suspended, pending, terminated")
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
