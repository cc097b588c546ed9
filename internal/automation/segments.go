package automation

import (
	"context"

	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
)

// Segments gives the room who knows the names of segments; without it a run of
// segment_entered and segment_left sees no name. Call it before the first use.
func (s *Service) Segments(name func(ctx context.Context, tenant, segment id.ID) (string, error)) {
	s.segmentName = name
}

// memberships gives what it sets off that somebody came into a segment or left it.
func (s *Service) memberships(ctx context.Context, e event.Event) ([]happening, error) {
	name := ""
	if s.segmentName != nil {
		var err error
		if name, err = s.segmentName(ctx, e.Tenant, e.Subject); err != nil && fault.As(err) == nil {
			return nil, err
		} // else deleted since
	}
	vars := map[string]any{"segment": map[string]any{"id": e.Subject.UUID(), "name": name}, "segmentId": e.Subject.UUID(), "segmentName": name}
	return []happening{{triggersOf[e.Type][0], facts{segment: e.Subject.String()}, vars}}, nil
}

// ofSegment reads the segment that a rule is for, in either spelling of its id.
func (f *Filter) ofSegment(v any, at string) error {
	if v == nil || v == "" {
		return nil
	}
	s, _ := v.(string)
	if f.Segment = segmentKey(s); f.Segment == "" {
		return fault.Field(at, "%s must be the id of a target", at)
	}
	return nil
}

// segmentKey is a segment's id as filters compare it, "" for what is no id of ours.
func segmentKey(s string) string {
	if v, ok, err := id.FromUUID(s); err == nil && ok {
		return v.String()
	}
	v, _ := id.Parse(s)
	return v.String()
}
