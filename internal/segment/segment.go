// Package segment owns segments: saved filters over entities, which the targeting
// API calls targets. It answers live which of them contain an entity, keeps whom
// each contained when it last looked, and appends segment.entered and segment.left
// to the feed when that changes.
//
// Faces write segments through it; campaigns and portals ask it. It reads entities
// through package entity and knows no other noun.
package segment

import (
	"time"

	"parley/internal/filter"
	"parley/internal/id"
)

// Noun is what faults call a segment.
const Noun = "segment"

// Segment is a saved filter over the entities of one schema.
type Segment struct {
	ID          id.ID
	Name        string
	Description string
	Schema      string         // of the entities it selects; "" selects nobody
	Filters     map[string]any // as they were given; nil when there are none
	Filter      filter.Filter  // what they mean
	Empty       bool           // without filters: it contains nobody
	Tags        []string       // nil when none were given
	Extra       map[string]any // every other attribute
	CreatedBy   string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// number stands for these filters in what is remembered of entities. Other
	// filters get another number.
	number int64
	// seeded: whom it contained when its filters were saved is known, so that who
	// comes and goes is told.
	seeded bool
	// version of the tenant's set in which it last changed.
	version int64
}

// New is a segment to be made, and the whole of one that is replaced. Name is
// required.
type New struct {
	ID          id.ID // zero: a new one
	Name        string
	Description string
	Schema      string
	Filters     map[string]any
	Tags        []string
	Extra       map[string]any
	CreatedBy   string
	// Since is as of Change, for one that is replaced.
	Since time.Time
}

// Change is what of a segment is to be otherwise; nil stays as it is.
type Change struct {
	Name        *string
	Description *string
	Schema      *string
	Filters     *map[string]any
	Tags        *[]string
	Extra       map[string]any // merged into what is there: null takes away
	// Since refuses the change, as a conflict, when the segment was changed after
	// this moment.
	Since time.Time
}

// The limits of a segment. What exceeds them is a fault.
const (
	MaxSegments = 10_000    // of a tenant
	MaxName     = 500       // characters
	MaxText     = 10_000    // characters of the description
	MaxTags     = 200       // of a segment
	MaxTag      = 200       // characters
	MaxExtra    = 256 << 10 // bytes of the other attributes
	MaxFilters  = 512 << 10 // bytes of the filters as they are given
)

// Known reports whether it is known whom the segment contained when its filters
// were saved: from then on it is told who comes and goes.
func (v Segment) Known() bool { return v.seeded }
