// Package entity shows people, records and the small schemas of other rooms as
// documents of one shape, and finds those that match a filter. It owns no table:
// it reads contacts with their work, primary deal, tags and identities, and records,
// where they lie. It is the one place where a field of the document and the column
// that holds it are declared side by side, so that the match in memory and a list
// from SQL mean the same.
package entity

import (
	"context"

	"parley/internal/contact"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

// Contact is the schema of people.
const Contact = "contact"

// Ref names an entity.
type Ref struct {
	Schema string
	ID     id.ID
}

// Doc is an entity as the targeting API shows it, in canonical form
// (filter.Canonical). It belongs to its reader.
type Doc = map[string]any

// Found is an entity that a walk met.
type Found struct {
	ID    id.ID
	Title string
}

// Source serves a small schema that another room keeps: some thousand entities
// at most.
type Source interface {
	// Documents returns the documents of the given ids; unknown ones are left out.
	Documents(r store.Reader, ids []id.ID) (map[id.ID]Doc, error)
	// All returns at most limit documents, by id.
	All(r store.Reader, limit int) ([]Doc, error)
}

// Service is the room's door. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	contacts *contact.Service
	records  *record.Service
	sources  map[string]Source
	bounds
}

// NewService returns the room's service.
func NewService(db *store.DB, contacts *contact.Service, records *record.Service) *Service {
	return &Service{db: db, contacts: contacts, records: records, sources: map[string]Source{}, bounds: usual}
}

// Serve adds a small schema. Call it before the first use.
func (s *Service) Serve(schema string, src Source) { s.sources[schema] = src }

// Reads returns a handle for a tenant's reads, for callers that have no
// transaction.
func (s *Service) Reads(ctx context.Context, tenant id.ID) store.Reader {
	return s.db.Read(ctx, tenant)
}
