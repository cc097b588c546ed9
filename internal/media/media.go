package media

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

// Origins of a file.
const (
	Upload  = "upload"  // a client of ours sent it here
	Inbound = "inbound" // a contact sent it, and the provider gave it to us
)

// Bounds and times of files.
const (
	ChunkSize = 256 << 10 // bytes of a chunk; the last one may be shorter

	unfinished = time.Hour          // a file whose chunks stopped coming is given up after this long
	unused     = 24 * time.Hour     // a ready file that nobody names is deleted after this long
	recheck    = 7 * 24 * time.Hour // a file that is in use is looked at again after this long
)

// File is a stored file.
type File struct {
	ID        id.ID
	Tenant    id.ID
	Kind      string // a media kind of package channel: image, video, audio, document, sticker
	MIME      string // without parameters
	Filename  string // "" when nobody gave one
	Origin    string // Upload or Inbound
	Size      int64  // bytes
	SHA256    string // lower-case hex
	CreatedAt time.Time

	state  string
	chunks int
}

// NewFile says what is known of a file before its bytes are.
type NewFile struct {
	Filename string
	MIME     string // what the sender says it is; the bytes decide, where they can
	Kind     string // what it is to be used as; "" = by its type
	Origin   string // Upload or Inbound
	// Limit is the most bytes that are taken; 0 means the limit of the kind.
	Limit int64
}

// Service keeps files. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	tenants *tenant.Service
	inUse   []func(r store.Reader, file id.ID) (bool, error)
	base    string
}

// New returns the room's service.
func New(db *store.DB, tenants *tenant.Service) *Service { return &Service{db: db, tenants: tenants} }

// UsedBy makes a room known whose rows name files: a file that it uses is kept.
// Call it before the first use.
func (s *Service) UsedBy(inUse func(r store.Reader, file id.ID) (bool, error)) {
	s.inUse = append(s.inUse, inUse)
}

// At says under which address clients reach this server, such as
// https://crm.example.com; links begin with it. Without it they begin with Path.
func (s *Service) At(base string) { s.base = strings.TrimRight(base, "/") }

// Get returns a file that is ready, or fault.Unknown("file").
func (s *Service) Get(r store.Reader, file id.ID) (File, error) {
	f, found, err := byID(r, file)
	if err == nil && (!found || f.state != ready) {
		err = fault.Unknown("file")
	}
	return f, err
}

// HoldIn is Get for a transaction that is about to name the file: it cannot be
// deleted before the commit.
func (s *Service) HoldIn(tx *store.Tx, file id.ID) (File, error) {
	if err := tx.Lock("media", file.String()); err != nil {
		return File{}, err
	}
	return s.Get(tx, file)
}

// Delete removes a file, whatever its state. An unknown one is none.
func (s *Service) Delete(ctx context.Context, tenantID, file id.ID) error {
	return s.db.Write(ctx, tenantID, func(tx *store.Tx) error {
		if err := tx.Lock("media", file.String()); err != nil {
			return err
		}
		return deleteIn(tx, file)
	})
}

// errGone says that a file went away while somebody worked with it.
var errGone = errors.New("media: the file was deleted meanwhile")
