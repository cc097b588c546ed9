package segment

import (
	"bytes"
	"slices"

	"parley/internal/entity"
	"parley/internal/filter"
	"parley/internal/id"
	"parley/internal/store"
)

// Match returns those of the segments that contain any of the entities now, in the
// order of ids, each once. Unknown ones and those without filters are left out; an
// entity counts only for segments of its schema.
func (s *Service) Match(r store.Reader, refs []entity.Ref, ids []id.ID) ([]Segment, error) {
	if len(refs) == 0 || len(ids) == 0 {
		return nil, nil
	}
	known, err := s.GetMany(r, ids)
	if err != nil {
		return nil, err
	}
	wanted := map[string][]id.ID{}
	for _, ref := range refs {
		wanted[ref.Schema] = append(wanted[ref.Schema], ref.ID)
	}
	docs := map[string]map[id.ID]entity.Doc{} // of the schemas that are asked about
	var out []Segment
	for _, v := range ids {
		seg, ok := known[v]
		if !ok || seg.idle() {
			continue
		}
		delete(known, v)
		list, asked := docs[seg.Schema]
		if !asked && len(wanted[seg.Schema]) > 0 {
			if list, err = s.entities.Documents(r, seg.Schema, wanted[seg.Schema]); err != nil {
				return nil, err
			}
			docs[seg.Schema] = list
		}
		if len(list) == 0 {
			continue
		}
		m, err := filter.Compile(seg.Filter)
		if err != nil {
			return nil, err
		}
		for _, doc := range list {
			if m.Match(doc) {
				out = append(out, seg)
				break
			}
		}
	}
	return out, nil
}

// Containing returns the segments that contain an entity now, by id. It asks an
// index of all of the tenant's filters, not each of them.
func (s *Service) Containing(r store.Reader, ref entity.Ref) ([]id.ID, error) {
	docs, err := s.entities.Documents(r, ref.Schema, []id.ID{ref.ID})
	if err != nil || docs[ref.ID] == nil {
		return nil, err
	}
	var out []id.ID
	err = s.with(r, func(v *set) error {
		out = nil
		for _, e := range v.containing(ref.Schema, docs[ref.ID]) {
			out = append(out, e.id)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	return out, err
}
