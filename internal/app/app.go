package app

import (
	"time"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/automation"
	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
	"parley/internal/webhook"
)

// App is an app as a tenant knows it (reference §5, Apps).
type App struct {
	ID        id.ID
	Developer string // who made it, a word: "acme"
	Key       string // the app among the developer's, a word: "calendar"
	Name      Localized
	BaseURL   string // where its lifecycle calls go
	ClientID  string // the appId that it is told
	// Scopes are those of the keys of its instances, as access knows them.
	Scopes         []string
	Reports        []Report
	Buttons        []Button
	ProspectFields []Field
	UserFields     []Field
	Push           bool // it may send notifications to agents
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeletedAt      time.Time
}

// Slug is the app's name in keys of fields: <developer>_<app>.
func (a App) Slug() string { return a.Developer + "_" + a.Key }

// Secrets are what an app and this server share. They are shown when they are made
// and stored sealed.
type Secrets struct {
	ClientSecret string // travels with every lifecycle call
	PrivateKey   string // signs the URLs of reports and buttons
}

// NewApp describes an app to register. Empty ClientID, ClientSecret and
// PrivateKey are made here; an app that exists elsewhere brings its own.
type NewApp struct {
	App
	Secrets
}

// Patch changes an app; nil fields stay. Developer and key never change, since the
// keys of fields are made of them.
type Patch struct {
	Name           *Localized
	BaseURL        *string
	ClientID       *string
	ClientSecret   *string // "" makes a new one
	PrivateKey     *string // "" makes a new one
	Scopes         *[]string
	Reports        *[]Report
	Buttons        *[]Button
	ProspectFields *[]Field
	UserFields     *[]Field
	Push           *bool
}

// The states of an instance (docs/state-machines.md).
const (
	Pending     = "pending"     // the app has not confirmed the installation
	Enabled     = "enabled"     // its key opens
	Disabled    = "disabled"    // its key is there and does not open
	Uninstalled = "uninstalled" // over; the row stays, the key is revoked
)

// Calls that an instance may owe its app (reference §4.11).
const (
	CallInstall   = "install"
	CallEnabled   = "enabled"
	CallKey       = "api-key"
	CallUninstall = "uninstall"
)

// Instance is an app installed in a group: one integration with a key of its own.
type Instance struct {
	ID    id.ID
	App   id.ID
	Group id.ID
	User  id.ID // the agent for whom it acts, zero for none
	Key   id.ID // of package access: the integration's id
	Name  string
	State string
	// Enabled is what people want; a pending instance will be enabled or disabled by
	// it once it is installed.
	Enabled    bool
	Refreshing bool // a new key waits to be taken by the app; both open
	// Owes names the call that the app has yet to confirm, "" for none.
	Owes          string
	Tries         int       // of that call, without success
	NextAt        time.Time // of its next try, zero when none comes
	GaveUp        bool      // its tries are used up; Retry begins anew
	LastError     string    // of the last try, "" after a success
	InstalledAt   time.Time
	UninstalledAt time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// NewInstance says where an app is to be installed.
type NewInstance struct {
	Group    id.ID // zero: the tenant's first group
	User     id.ID
	Name     string // "": the app's
	Disabled bool
}

// Caller makes HTTP calls; the server's goes through egress and follows no
// redirects. A fault of code Invalid says that the call is not allowed and was not
// made.
type Caller = webhook.Sender

// Automations starts rules by the events of apps; *automation.Service does.
type Automations interface {
	FireIn(tx *store.Tx, actor string, c automation.Call) (automation.Fired, error)
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	log      *event.Log
	tenants  *tenant.Service
	keys     *access.Service
	agents   *agent.Service
	contacts *contact.Service
	works    *handover.Service
	rules    Automations
	out      Caller
}

// Rooms are what the service leans on. All are required.
type Rooms struct {
	Tenants     *tenant.Service
	Access      *access.Service
	Agents      *agent.Service
	Contacts    *contact.Service
	Handovers   *handover.Service
	Automations Automations
	Caller      Caller
}

// NewService returns the room's service. It is asked before groups and agents are
// deleted.
func NewService(db *store.DB, log *event.Log, r Rooms) *Service {
	s := &Service{db: db, log: log, tenants: r.Tenants, keys: r.Access, agents: r.Agents, contacts: r.Contacts, works: r.Handovers,
		rules: r.Automations, out: r.Caller}
	r.Agents.Hold(agent.Holder{Name: "apps", Group: s.inGroup, Agent: s.actsFor})
	return s
}
