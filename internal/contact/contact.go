// Package contact owns the person: identities (phones and e-mails) and who
// claims them, names, tags, open attributes, merges, consent, notes, inquiries, and the timeline. Every
// face and every reaction reaches people through it; deal builds its cards on it.
//
// An identity is claimed under a unique key (tenant, kind, value). Every contact
// has at least one claimed identity, so that it can always be found again. Where
// only the phone identifies, an e-mail that another contact claims is kept
// unclaimed, and stays so until somebody sets it again.
//
// A contact that was merged has no row in the table contact: no list has to pass
// over it. Its id leads to the survivor (contact_alias), and every method here
// takes it. Rooms whose rows belong to contacts are followers of merges (Follow);
// before they add rows without the contact's lock they call HoldIn.
//
// Transactions take their locks in one order: identities, then contacts. A
// caller that changes several people in one transaction calls LockIn first.
package contact

import (
	"strings"
	"time"

	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Kinds of identity.
const (
	Phone = "phone" // value: digits of phone.Key
	Email = "email" // value: lower case
	// Messenger: a page-scoped id, as Meta writes it. It is the address of a channel
	// and nobody types it in.
	Messenger = "messenger"
)

// Contact is a person.
type Contact struct {
	ID         id.ID
	FirstName  string
	LastName   string
	Identities []Identity // primary ones first
	Source     string     // where the person came from; "other" when nobody said
	AssignedTo string     // the agent in charge, "" when none
	Tags       []string   // sorted
	Refs       map[string]string
	Extra      map[string]any // what the platform API calls metadata.extra
	Attributes map[string]any // custom fields
	Score      int            // 0 to 100

	LastContactedAt time.Time // zero: never
	ArchivedAt      time.Time // zero: not archived
	ErasedAt        time.Time
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Identity is one way to reach a person.
type Identity struct {
	Kind    string
	Value   string // normalised: what is compared
	Raw     string // as it was given
	Primary bool
	Claimed bool // this contact is who the value finds
}

// Phone returns the digits of the primary phone, or "".
func (c *Contact) Phone() string { return c.primary(Phone).Value }

// Email returns the primary e-mail address, or "".
func (c *Contact) Email() string { return c.primary(Email).Value }

// Name returns first and last name, trimmed and joined.
func (c *Contact) Name() string {
	return strings.TrimSpace(c.FirstName + " " + c.LastName)
}

// Archived reports whether the contact is put away.
func (c *Contact) Archived() bool { return !c.ArchivedAt.IsZero() }

func (c *Contact) primary(kind string) Identity {
	for _, i := range c.Identities {
		if i.Kind == kind && i.Primary {
			return i
		}
	}
	return Identity{}
}

// New describes a person who may or may not be known already.
type New struct {
	FirstName, LastName string
	Phone               string // raw
	Email               string
	// Kind and Address are a channel's own identity, such as Messenger; it
	// identifies whoever has neither phone nor e-mail.
	Kind, Address      string
	Source, AssignedTo string
	Tags               []string
	Refs               map[string]string
	Extra, Attributes  map[string]any
}

// Patch changes a contact; nil fields stay. An empty Phone or Email takes that
// identity away, unless it is the last by which the contact can be found.
type Patch struct {
	FirstName, LastName *string
	Phone, Email        *string
	Source, AssignedTo  *string
	Refs                map[string]*string // merged key by key; nil deletes
	Extra, Attributes   map[string]any     // merged key by key; nil deletes
	Score               *int
	LastContactedAt     *time.Time
}

// Activity is one entry of a contact's timeline.
type Activity struct {
	ID          id.ID
	Contact     id.ID
	Type        string // "stage_change", "whatsapp_sent" ...; unknown ones are kept
	Title       string
	Body        string
	Metadata    map[string]any
	PerformedBy string // "system" when nobody else
	CreatedAt   time.Time
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	log     *event.Log
	tenants *tenant.Service

	followers []Follower
	// suppressing remembers whether the tenant has refusals of erased people.
	suppressing store.Memo[bool]
}

// Bounds of what a contact holds.
const (
	maxName  = 200      // characters of a name
	maxWord  = 200      // characters of source and assignee
	maxTag   = 64       // characters of a tag
	maxTags  = 100      // tags of a contact
	maxKey   = 100      // characters of a key of Refs, Extra, Attributes
	maxRef   = 500      // characters of a value of Refs
	maxJSON  = 64 << 10 // bytes of JSON of each of Refs, Extra, Attributes
	maxEmail = 254      // bytes of an address, RFC 5321
	maxBody  = 64 << 10 // characters of an activity's body
	maxPage  = 1000     // rows of one page
)
