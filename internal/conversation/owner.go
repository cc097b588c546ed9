package conversation

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"parley/internal/contact"
	"parley/internal/event"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Who answers in a conversation.
const (
	OwnerBot   = "bot"   // automata; where every conversation begins
	OwnerQueue = "queue" // nobody yet: it waits for an agent
	OwnerAgent = "agent"
)

// Owner is who answers in a conversation (docs/state-machines.md).
type Owner struct {
	Kind    string // OwnerBot, OwnerQueue or OwnerAgent
	Agent   string // of OwnerAgent
	Since   time.Time
	Version int // counts the moves; 0 before the first
}

// Moves of the owner's state machine.
const (
	Take     = "take"     // an agent takes it for himself
	Assign   = "assign"   // somebody gives it to an agent
	Transfer = "transfer" // from one agent to another
	Release  = "release"  // to the queue
	Return   = "return"   // to the bot
)

// Move is one step of a conversation's owner.
type Move struct {
	Do    string // Take, Assign, Transfer, Release or Return
	Agent string // who owns it then; for Take, Assign and Transfer
	// Version, when given, is the version that the caller saw: the move fails when
	// the owner has moved since.
	Version *int
}

// OwnerMove is one entry of an owner's history.
type OwnerMove struct {
	Version int
	Move    string
	From    Owner // without Since and Version
	To      Owner
	Actor   string
	At      time.Time
}

// next is the state machine: where a move leads from an owner. changed is false
// for one that leads nowhere else, which is no mistake.
func (o Owner) next(m Move) (to Owner, changed bool, err error) {
	if m.Version != nil && *m.Version != o.Version {
		return o, false, o.held("the conversation's owner has changed since version %d", *m.Version)
	}
	switch m.Do {
	case Take, Assign:
		if o.Kind == OwnerAgent && o.Agent != m.Agent {
			return o, false, o.held("another agent has the conversation; transfer it to move it")
		}
		to = Owner{Kind: OwnerAgent, Agent: m.Agent}
	case Transfer:
		if o.Kind != OwnerAgent {
			return o, false, o.held("no agent has the conversation, so it cannot be transferred; take or assign it")
		}
		to = Owner{Kind: OwnerAgent, Agent: m.Agent}
	case Release:
		to = Owner{Kind: OwnerQueue}
	case Return:
		to = Owner{Kind: OwnerBot}
	}
	return to, to.Kind != o.Kind || to.Agent != o.Agent, nil
}

// held is the fault of a move that the present owner does not allow; it tells
// who that is.
func (o Owner) held(format string, args ...any) error {
	return fault.New(fault.Conflict, format, args...).Because("owner").
		With("owner", map[string]any{"kind": o.Kind, "agent": o.Agent, "version": o.Version})
}

func (m Move) check() (Move, error) {
	switch m.Do {
	case Take, Assign, Transfer:
		agent, err := contact.Line("agent", m.Agent, 200)
		if err != nil {
			return m, err
		}
		if agent == "" {
			return m, fault.Missing("agent")
		}
		m.Agent = agent
	case Release, Return:
		m.Agent = ""
	default:
		return m, fault.Field("action", "action must be take, assign, transfer, release or return")
	}
	return m, nil
}

// MoveIn moves a conversation's owner. One that is where the move leads already
// stays, without an event. Faults: NotFound; Invalid naming "action" or
// "agent"; Conflict with Reason "owner" and the detail "owner" (kind, agent,
// version) when the present owner does not allow the move.
func (s *Service) MoveIn(tx *store.Tx, actor string, conversation id.ID, m Move) (Owner, error) {
	m, err := m.check()
	if err != nil {
		return Owner{}, err
	}
	c, err := conversationByID(tx, conversation)
	if err != nil {
		return Owner{}, err
	}
	if _, err := s.lockPlaceIn(tx, c.Contact, c.Channel, c.Address); err != nil {
		return Owner{}, err
	}
	if c, err = conversationByID(tx, conversation); err != nil {
		return Owner{}, err
	}
	to, changed, err := c.Owner.next(m)
	if err != nil || !changed {
		return c.Owner, err
	}
	to.Version, to.Since = c.Owner.Version+1, tx.Now()
	n, err := tx.Exec("UPDATE conversation SET owner_kind=?, owner_agent=?, owner_since=?, owner_version=?, updated_at=? WHERE tenant_id=? AND id=? AND owner_version=?",
		to.Kind, to.Agent, to.Since, to.Version, tx.Now(), c.ID, c.Owner.Version)
	if err == nil && n == 0 {
		err = fmt.Errorf("conversation: the owner of %s moved under its lock", c.ID)
	}
	if err != nil {
		return Owner{}, err
	}
	if _, err := tx.Exec(`INSERT INTO conversation_owner_log (tenant_id, conversation_id, version, move, from_kind, from_agent, kind, agent, actor, at)
		VALUES (?,?,?,?,?,?,?,?,?,?)`, c.ID, to.Version, m.Do, c.Owner.Kind, c.Owner.Agent, to.Kind, to.Agent, actor, tx.Now()); err != nil {
		return Owner{}, err
	}
	changes := []string{"owner:" + to.Kind, "version:" + strconv.Itoa(to.Version)}
	if to.Agent != "" {
		changes = append(changes, "agent:"+to.Agent)
	}
	_, err = s.log.Append(tx, event.New{Type: "conversation.owned", Subject: c.ID, Contact: c.Contact, Changed: changes, Actor: actor})
	return to, err
}

// Move is MoveIn as one transaction; it returns the conversation.
func (s *Service) Move(ctx context.Context, tenantID id.ID, actor string, conversation id.ID, m Move) (Conversation, error) {
	return store.Write(ctx, s.db, tenantID, func(tx *store.Tx) (Conversation, error) {
		if _, err := s.MoveIn(tx, actor, conversation, m); err != nil {
			return Conversation{}, err
		}
		return filled(tx, conversation)
	})
}

// TakeIn gives a conversation of the bot or of the queue to the agent who asks
// for it. Of several at once one gets it. Faults as MoveIn's.
func (s *Service) TakeIn(tx *store.Tx, actor string, conversation id.ID, agent string) (Owner, error) {
	return s.MoveIn(tx, actor, conversation, Move{Do: Take, Agent: agent})
}

// AssignIn gives a conversation of the bot or of the queue to an agent.
func (s *Service) AssignIn(tx *store.Tx, actor string, conversation id.ID, agent string) (Owner, error) {
	return s.MoveIn(tx, actor, conversation, Move{Do: Assign, Agent: agent})
}

// TransferIn gives a conversation of an agent to another.
func (s *Service) TransferIn(tx *store.Tx, actor string, conversation id.ID, agent string) (Owner, error) {
	return s.MoveIn(tx, actor, conversation, Move{Do: Transfer, Agent: agent})
}

// ReleaseIn puts a conversation into the queue.
func (s *Service) ReleaseIn(tx *store.Tx, actor string, conversation id.ID) (Owner, error) {
	return s.MoveIn(tx, actor, conversation, Move{Do: Release})
}

// ReturnIn gives a conversation back to the bot.
func (s *Service) ReturnIn(tx *store.Tx, actor string, conversation id.ID) (Owner, error) {
	return s.MoveIn(tx, actor, conversation, Move{Do: Return})
}

// ownerPage bounds a history.
const ownerPage = 200

// OwnerHistory returns the latest moves of a conversation's owner, newest
// first, at most 200. NotFound.
func (s *Service) OwnerHistory(ctx context.Context, tenantID, conversation id.ID) ([]OwnerMove, error) {
	r := s.db.Read(ctx, tenantID)
	if _, err := conversationByID(r, conversation); err != nil {
		return nil, err
	}
	rows, err := r.Query(`SELECT version, move, from_kind, from_agent, kind, agent, actor, at FROM conversation_owner_log
		WHERE tenant_id=? AND conversation_id=? ORDER BY version DESC LIMIT ?`, conversation, ownerPage)
	return store.Collect(rows, err, func(rows *sql.Rows) (m OwnerMove, err error) {
		err = rows.Scan(&m.Version, &m.Move, &m.From.Kind, &m.From.Agent, &m.To.Kind, &m.To.Agent, &m.Actor, store.Time(&m.At))
		m.To.Version, m.To.Since = m.Version, m.At
		return m, err
	})
}

// speakIn refuses a message of a speaker who must be silent: a bot unless it
// owns the conversation, and whoever asked for it while an agent does.
func (c Conversation) speakIn(in Send) error {
	switch {
	case in.Bot && c.Owner.Kind != OwnerBot && !c.ID.IsZero():
		return c.Owner.held("the bot is silent: it does not own the conversation")
	case in.UnlessAgent && c.Owner.Kind == OwnerAgent:
		return c.Owner.held("an agent has the conversation, so the message was not sent")
	}
	return nil
}
