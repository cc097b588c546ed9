package tenant

import (
	"context"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Profile is what the operator notes of a tenant: who it is and what it booked.
// The server draws nothing from it.
type Profile struct {
	Business   map[string]any `json:"business,omitempty"` // industry, website, email, phone
	Plan       map[string]any `json:"plan,omitempty"`     // name, billingCycle, startDate, endDate
	Tags       []string       `json:"tags,omitempty"`
	Labels     map[string]any `json:"labels,omitempty"`
	AgencyID   string         `json:"agencyId,omitempty"`
	AgencyCode string         `json:"agencyCode,omitempty"`
}

// maxProfile bounds a stored profile, in bytes.
const maxProfile = 64 << 10

// Profile returns a tenant's profile, empty when nothing was noted.
func (s *Service) Profile(ctx context.Context, tenant id.ID) (Profile, error) {
	return profile(s.db.Read(ctx, tenant))
}

func profile(r store.Reader) (p Profile, err error) {
	ok, err := store.Found(r.QueryRow("SELECT profile FROM tenant WHERE tenant_id=?").Scan(store.JSON(&p)))
	if err == nil && !ok {
		err = fault.Unknown("tenant")
	}
	return p, err
}

// stored returns the profile as it is kept, or Invalid naming "profile" when it is
// too large.
func (p Profile) stored() (any, error) {
	v, err := store.JSON(p).Value()
	if text, ok := v.(string); ok && len(text) > maxProfile {
		return nil, fault.Field("profile", "what is noted of a client must not exceed %d bytes; shorten business, labels or tags", maxProfile)
	}
	return v, err
}

// editProfile changes a tenant's profile with edit.
func editProfile(tx *store.Tx, tenant id.ID, edit func(*Profile) error) error {
	if err := tx.Lock("tenant", tenant.String()); err != nil {
		return err
	}
	p, err := profile(tx)
	if err != nil {
		return err
	}
	if err := edit(&p); err != nil {
		return err
	}
	stored, err := p.stored()
	if err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE tenant SET profile=?, updated_at=? WHERE tenant_id=?", stored, tx.Now())
	return err
}
