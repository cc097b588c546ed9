// Package account owns the connected accounts of messaging providers, e.g. the
// WhatsApp numbers of a tenant: their public settings, their sealed secrets and
// the pause that a provider imposes on a whole account. Conversation and outbox
// read it, the webhook entry finds tenants by it, and faces connect accounts
// through it. A secret leaves it only inside a channel.Account and is never
// logged.
package account

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Ledger is the name of the ledger whose lanes are accounts: the outbox. A lane
// is woken when its account is mended.
const Ledger = "outbox"

// Service keeps accounts. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	tenants *tenant.Service
	known   *store.Recent[channel.Account] // by kind and external id
}

// topic is the wake that follows a change of an account; its key is its place.
const topic = "account"

// keepFor bounds how long a node may miss a change of an account when the
// database's notifications are lost.
const keepFor = 5 * time.Second

// place names an account by the provider's name for it.
func place(kind, external string) string { return kind + "\x00" + external }

// New returns the service.
func New(db *store.DB, tenants *tenant.Service) *Service {
	return &Service{db: db, tenants: tenants, known: store.NewRecent[channel.Account](db, topic, keepFor)}
}

// NewAccount is what Connect needs. Settings and Secrets are documented by the
// channel's implementation.
type NewAccount struct {
	Kind       string // "whatsapp"
	ExternalID string // the provider's name for the account
	Settings   map[string]string
	Secrets    map[string]string
}

// Connect stores an account, or replaces the settings and secrets of one that
// the tenant has already. It ends a pause of the account, since a reconnected
// account usually has a new token. An account that another tenant holds is a
// Conflict of the field externalId.
func (s *Service) Connect(ctx context.Context, tenantID id.ID, n NewAccount) (channel.Account, error) {
	return s.connect(ctx, tenantID, n, true)
}

// Add is Connect for an account that the tenant has not: one that it has stays as
// it is, and is a Conflict of the field externalId too.
func (s *Service) Add(ctx context.Context, tenantID id.ID, n NewAccount) (channel.Account, error) {
	return s.connect(ctx, tenantID, n, false)
}

func (s *Service) connect(ctx context.Context, tenantID id.ID, n NewAccount, again bool) (channel.Account, error) {
	switch {
	case n.Kind == "":
		return channel.Account{}, fault.Missing("kind")
	case n.ExternalID == "":
		return channel.Account{}, fault.Missing("externalId")
	}
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (channel.Account, error) { return s.connectIn(tx, n, again) })
}

// Change changes the settings and secrets of an account, from what they are at that
// moment, and ends a pause as Connect does. NotFound of one that was disconnected.
func (s *Service) Change(ctx context.Context, tenantID, accountID id.ID, change func(*NewAccount) error) (channel.Account, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (channel.Account, error) {
		a, err := s.Get(tx, accountID)
		if err != nil {
			return a, err
		}
		if err := tx.For(id.Zero).Lock("account", a.Kind+":"+a.ExternalID); err != nil {
			return a, err
		}
		if a, err = s.Get(tx, accountID); err != nil { // behind the lock
			return a, err
		}
		n := NewAccount{Kind: a.Kind, ExternalID: a.ExternalID, Settings: a.Settings, Secrets: a.Secrets}
		if err := change(&n); err != nil {
			return a, err
		}
		return s.connectIn(tx, n, true)
	})
}

func (s *Service) connectIn(tx *store.Tx, n NewAccount, again bool) (channel.Account, error) {
	a := channel.Account{ID: id.New(), Tenant: tx.Tenant(), Kind: n.Kind, ExternalID: n.ExternalID,
		Settings: orEmpty(n.Settings), Secrets: orEmpty(n.Secrets)}
	// The lock is the system's, not the tenant's: two tenants may race for one number.
	if err := tx.For(id.Zero).Lock("account", n.Kind+":"+n.ExternalID); err != nil {
		return a, err
	}
	var holder, known id.ID
	found, err := store.Found(tx.All().QueryRow(
		"SELECT tenant_id, id FROM channel_account WHERE kind=? AND external_id=?", n.Kind, n.ExternalID).Scan(&holder, &known))
	if err != nil {
		return a, err
	}
	if found && holder != tx.Tenant() {
		e := fault.New(fault.Conflict, "another tenant of this server has connected this account; disconnect it there first")
		e.Field = "externalId"
		return a, e
	}
	if found && !again {
		e := fault.New(fault.Conflict, "this account has the channel %s already; change that one", n.ExternalID)
		e.Field = "externalId"
		return a, e
	}
	if found {
		a.ID = known
	}
	sealed, err := s.seal(a)
	if err != nil {
		return a, err
	}
	if found {
		_, err = tx.Exec(`UPDATE channel_account SET settings=?, sealed=?, paused_until=NULL, paused_for=NULL, updated_at=?
			WHERE tenant_id=? AND id=?`, store.JSON(a.Settings), sealed, tx.Now(), a.ID)
	} else {
		_, err = tx.Exec(`INSERT INTO channel_account (tenant_id, id, kind, external_id, settings, sealed, created_at, updated_at)
			VALUES (?,?,?,?,?,?,?,?)`, a.ID, a.Kind, a.ExternalID, store.JSON(a.Settings), sealed, tx.Now(), tx.Now())
	}
	if err != nil {
		return a, fmt.Errorf("account: store: %w", err)
	}
	tx.Wake(topic, place(a.Kind, a.ExternalID))
	job.WakeLane(tx, Ledger, a.ID.String())
	return a, nil
}

const columns = "tenant_id, id, kind, external_id, settings, sealed"

// Get returns an account of r's tenant, or fault.Unknown("account").
func (s *Service) Get(r store.Reader, accountID id.ID) (channel.Account, error) {
	a, found, err := s.one(r.QueryRow("SELECT "+columns+" FROM channel_account WHERE tenant_id=? AND id=?", accountID))
	if err == nil && !found {
		err = fault.Unknown("account")
	}
	return a, err
}

// Default returns the tenant's newest account of a kind.
func (s *Service) Default(r store.Reader, kind string) (channel.Account, bool, error) {
	return s.one(r.QueryRow("SELECT "+columns+" FROM channel_account WHERE tenant_id=? AND kind=? ORDER BY created_at DESC, id DESC LIMIT 1", kind))
}

// ByExternal finds an account of any tenant by the provider's name for it. Every
// webhook asks, so the answer is kept for a few seconds or until it changes.
func (s *Service) ByExternal(ctx context.Context, kind, external string) (channel.Account, bool, error) {
	a, version, ok := s.known.Get(place(kind, external))
	if ok {
		return a, true, nil
	}
	a, found, err := s.one(s.db.Read(ctx, id.Zero).All().QueryRow("SELECT "+columns+" FROM channel_account WHERE kind=? AND external_id=?", kind, external))
	if err == nil && found {
		s.known.Put(place(kind, external), a, version)
	}
	return a, found, err
}

// List returns the tenant's accounts, oldest first.
func (s *Service) List(ctx context.Context, tenantID id.ID) ([]channel.Account, error) {
	rows, err := s.db.Read(ctx, tenantID).Query("SELECT " + columns + " FROM channel_account WHERE tenant_id=? ORDER BY created_at, id")
	return store.Collect(rows, err, func(rows *sql.Rows) (channel.Account, error) { return s.scan(rows) })
}

// VerifyTokens returns the secret "verifyToken" of every account of a kind, of
// all tenants, for a provider's subscription handshake.
func (s *Service) VerifyTokens(ctx context.Context, kind string) ([]string, error) {
	rows, err := s.db.Read(ctx, id.Zero).All().Query("SELECT "+columns+" FROM channel_account WHERE kind=? ORDER BY created_at, id", kind)
	all, err := store.Collect(rows, err, func(rows *sql.Rows) (channel.Account, error) { return s.scan(rows) })
	var tokens []string
	for _, a := range all {
		if t := a.Secrets["verifyToken"]; t != "" {
			tokens = append(tokens, t)
		}
	}
	return tokens, err
}

// ByVerifyToken reports whether token is the verify token of any account of the
// kind. Every token is compared, in constant time.
func (s *Service) ByVerifyToken(ctx context.Context, kind, token string) bool {
	tokens, err := s.VerifyTokens(ctx, kind)
	if err != nil || token == "" {
		return false
	}
	match := 0
	for _, t := range tokens {
		match |= subtle.ConstantTimeCompare([]byte(t), []byte(token))
	}
	return match == 1
}

// PauseIn holds everything that would leave through the account until a moment;
// an earlier moment than the present one changes nothing.
func (s *Service) PauseIn(tx *store.Tx, accountID id.ID, until time.Time, why string) error {
	_, err := tx.Exec(`UPDATE channel_account SET paused_until=?2, paused_for=?3
		WHERE tenant_id=?1 AND id=?4 AND (paused_until IS NULL OR paused_until < ?2)`, until, why, accountID)
	return err
}

// Paused returns until when the account is paused and why; the zero time when
// it is not.
func (s *Service) Paused(r store.Reader, accountID id.ID) (until time.Time, why string, err error) {
	_, err = store.Found(r.QueryRow("SELECT paused_until, paused_for FROM channel_account WHERE tenant_id=? AND id=?", accountID).
		Scan(store.Time(&until), store.Text(&why)))
	if !until.After(r.Now()) {
		return time.Time{}, "", err
	}
	return until, why, err
}

type scanner interface{ Scan(...any) error }

func (s *Service) one(row *sql.Row) (channel.Account, bool, error) {
	a, err := s.scan(row)
	found, err := store.Found(err)
	return a, found, err
}

func (s *Service) scan(row scanner) (channel.Account, error) {
	var a channel.Account
	var sealed string
	if err := row.Scan(&a.Tenant, &a.ID, &a.Kind, &a.ExternalID, store.JSON(&a.Settings), &sealed); err != nil {
		return a, err
	}
	plain, err := s.tenants.OpenFor(a.Tenant, secretName(a.ID), sealed)
	if err != nil {
		return a, fmt.Errorf("account: open the secrets of %s: %w", a.ID, err)
	}
	if err := json.Unmarshal([]byte(plain), &a.Secrets); err != nil {
		return a, fmt.Errorf("account: read the secrets of %s: %w", a.ID, err)
	}
	return a, nil
}

func (s *Service) seal(a channel.Account) (string, error) {
	plain, err := json.Marshal(a.Secrets)
	if err != nil {
		return "", err
	}
	return s.tenants.SealFor(a.Tenant, secretName(a.ID), string(plain))
}

// secretName binds the sealed text to its account, so that it opens nowhere else.
func secretName(accountID id.ID) string { return "channel_account:" + accountID.String() }

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
