package agent

import (
	"database/sql"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// PickIn returns whose turn it is in a group: of its own agents who are active,
// have not paused and work at the moment, the one longest without a new contact.
// The turn is taken: the next call finds the next one. Agents in except are passed
// over. Found is false when nobody works. The group's turns are taken one after
// the other, so calls at once share them out evenly. NotFound for the group.
func (s *Service) PickIn(tx *store.Tx, group id.ID, at time.Time, except ...id.ID) (a Agent, found bool, err error) {
	if err := lockTurns(tx, group); err != nil {
		return a, false, err
	}
	d, err := s.dutyOf(tx, group)
	if err != nil {
		return a, false, err
	}
	list, err := agents(tx.Query("SELECT "+agentColumns+" FROM agent WHERE tenant_id=? AND group_id=? AND deleted_at IS NULL AND active AND NOT paused ORDER BY turn, id", group))
	if err != nil {
		return a, false, err
	}
	for _, a := range list {
		if slices.Contains(except, a.ID) || !s.at(a.duty().over(d), at) {
			continue
		}
		switch _, err := s.HoldAgentIn(tx, a.ID); {
		case fault.As(err) != nil: // gone since we read
			continue
		case err != nil:
			return a, false, err
		}
		return a, true, takeTurn(tx, a)
	}
	return a, false, nil
}

// TurnIn notes that an agent was given somebody new without PickIn: by a claim,
// or by a person. The caller holds the agent.
func (s *Service) TurnIn(tx *store.Tx, a Agent) error {
	if err := lockTurns(tx, a.Group); err != nil {
		return err
	}
	return takeTurn(tx, a)
}

func lockTurns(tx *store.Tx, group id.ID) error { return tx.Lock("agent_turn", group.String()) }

// takeTurn puts an agent behind all others of the group. Turns are milliseconds,
// so that they mean something in another group too, and grow in any case.
func takeTurn(tx *store.Tx, a Agent) error {
	var last sql.NullInt64
	if err := tx.QueryRow("SELECT MAX(turn) FROM agent WHERE tenant_id=? AND group_id=? AND deleted_at IS NULL", a.Group).Scan(&last); err != nil {
		return err
	}
	_, err := tx.Exec("UPDATE agent SET turn=? WHERE tenant_id=? AND id=?", max(last.Int64+1, tx.Now().UnixMilli()), a.ID)
	return err
}
