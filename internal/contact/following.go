package contact

import (
	"parley/internal/id"
	"parley/internal/store"
)

// Following looks for something of a contact under the id that cid leads to. A merge,
// or its undoing, may be committed between the two looks and carry it elsewhere: what
// is not found is looked for again as long as cid has come to lead to another id.
func (s *Service) Following(r store.Reader, cid id.ID, look func(at id.ID) (found bool, err error)) (found bool, err error) {
	at, err := resolve(r, cid)
	for err == nil {
		if found, err = look(at); found || err != nil {
			break
		}
		var now id.ID
		if now, err = resolve(r, cid); now == at {
			break
		}
		at = now
	}
	return found, err
}
