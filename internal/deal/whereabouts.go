package deal

import (
	"parley/internal/id"
	"parley/internal/store"
)

// StageIn returns a stage with what is done when a card enters it, and its
// pipeline without the other stages. NotFound names "stage".
func (s *Service) StageIn(r store.Reader, stage id.ID) (Pipeline, Stage, error) {
	at, err := stageIn(r, stage)
	return at.Pipeline, at.Stage, err
}
