package conversation

import (
	"context"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/media"
	"parley/internal/store"
	"parley/internal/tenant"
)

// DefaultChannel is the channel of a Send or Open that names none.
const DefaultChannel = "whatsapp"

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db        *store.DB
	log       *event.Log
	contacts  *contact.Service
	cards     *deal.Service
	tenants   *tenant.Service
	accounts  *account.Service
	templates *Templates
	channels  map[string]channel.Channel
	files     *media.Service
	linkJob   string // kind of the job that links a contact's conversations
}

// NewService returns the room's service. It knows the channels that templates
// was given, lets templates read cards and settings, and takes part in the
// merges of contacts.
func NewService(db *store.DB, log *event.Log, contacts *contact.Service, cards *deal.Service, tenants *tenant.Service,
	accounts *account.Service, templates *Templates) *Service {
	templates.tenants, templates.cards = tenants, cards
	s := &Service{db: db, log: log, contacts: contacts, cards: cards, tenants: tenants, accounts: accounts,
		templates: templates, channels: templates.channels, files: media.New(db, tenants)}
	s.files.UsedBy(s.namesFile)
	s.linkJob = log.Register(s.linker())
	s.follow()
	return s
}

// Files returns the files of messages.
func (s *Service) Files() *media.Service { return s.files }

// Templates keeps message templates. It is safe for concurrent use.
type Templates struct {
	db       *store.DB
	accounts *account.Service
	channels map[string]channel.Channel // by kind
	tenants  *tenant.Service            // for zone and currency; set by NewService
	cards    *deal.Service              // set by NewService
}

// NewTemplates returns the templates' service. channels are by kind; those that
// are a channel.TemplateLister take part in Sync.
func NewTemplates(db *store.DB, accounts *account.Service, channels map[string]channel.Channel) *Templates {
	return &Templates{db: db, accounts: accounts, channels: channels}
}

// Templates returns the templates' service.
func (s *Service) Templates() *Templates { return s.templates }

// Send is SendIn as one transaction.
func (s *Service) Send(ctx context.Context, tenantID id.ID, actor string, in Send) (Message, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Message, error) { return s.SendIn(tx, actor, in) })
}

// capabilities are those of a kind; the zero value when no such channel runs here.
func (s *Service) capabilities(kind string) channel.Capabilities {
	if c := s.channels[kind]; c != nil {
		return c.Capabilities()
	}
	return channel.Capabilities{}
}
