package admin

import (
	"context"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// erasedOut tells of a person who was erased: nothing of the person but the ids.
type erasedOut struct {
	ID       string    `json:"id"`
	IDs      []string  `json:"ids"` // every id that the person ever had
	ErasedAt time.Time `json:"erasedAt"`
	// Finished is false while a job still takes a long history away; nobody meets
	// the person meanwhile.
	Finished bool `json:"finished"`
}

// erase takes away everything that is known of a person, named by any id, a phone
// or an e-mail address.
func (f *Face) erase(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	var in struct{ Contact string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Contact = strings.TrimSpace(in.Contact); in.Contact == "" {
		return nil, fault.Missing("contact")
	}
	reads := f.s.Conversations.Reads(ctx, t.ID)
	c, err := f.s.Contacts.Named(reads, in.Contact)
	if err != nil {
		return nil, err
	}
	ids, err := f.s.Contacts.Known(reads, c.ID)
	if err != nil {
		return nil, err
	}
	if c, err = f.s.Contacts.Erase(ctx, t.ID, "operator", c.ID); err != nil {
		return nil, err
	}
	out := erasedOut{ID: c.ID.String()}
	for _, v := range ids {
		out.IDs = append(out.IDs, v.String())
	}
	if out.ErasedAt, err = f.s.Contacts.ErasedAt(reads, c.ID); err != nil {
		return nil, err
	}
	open, err := f.s.Contacts.Erasing(reads, c.ID)
	if err != nil {
		return nil, err
	}
	out.Finished = !open
	return ok(out)
}
