package campaign

import (
	"context"
	"fmt"
	"slices"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// What became of one recipient of a retrigger (reference §3.5).
const (
	ResultSuccess = "success"
	ResultFailure = "failure"
	ResultUnknown = "not_found"
	ResultStatus  = "invalid_status"
)

// Retriggered says what became of one recipient.
type Retriggered struct {
	Result string
	Run    id.ID  // with ResultSuccess
	Error  string // with ResultFailure
}

// retriggerBatch is how many recipients one transaction takes.
const retriggerBatch = 100

// Retrigger starts the campaign's automation again for those of the recipients whose
// execution failed, and tells of each (reference §4.6). Each start is one execution,
// however many callers ask at once. Faults: NotFound; ReasonStatus for a draft;
// ReasonNoDelivery without an automation.
func (s *Service) Retrigger(ctx context.Context, tenant id.ID, actor string, cid id.ID, ids []id.ID) (map[id.ID]Retriggered, error) {
	out := make(map[id.ID]Retriggered, len(ids))
	if len(ids) == 0 {
		ids = []id.ID{id.Zero} // the campaign is looked at all the same
	}
	for part := range slices.Chunk(ids, retriggerBatch) {
		done, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (map[id.ID]Retriggered, error) {
			return s.retrigger(tx, actor, cid, part)
		})
		if err != nil {
			return nil, err
		}
		for who, v := range done {
			out[who] = v
		}
	}
	return out, nil
}

func (s *Service) retrigger(tx *store.Tx, actor string, cid id.ID, ids []id.ID) (map[id.ID]Retriggered, error) {
	c, err := read(tx, cid, "")
	if err != nil {
		return nil, err
	}
	if c.Status == Draft {
		return nil, fault.New(fault.Conflict, "the campaign is a draft; make it active first").Because(ReasonStatus)
	}
	rule := flowID(c.Flow)
	if rule.IsZero() {
		return nil, fault.New(fault.Conflict, "the campaign has no automation; set its flow_id").Because(ReasonNoDelivery)
	}
	alias, err := s.hold(tx, ids) // an id of a record holds nobody
	if err != nil {
		return nil, err
	}
	at := func(v id.ID) id.ID {
		if to, ok := alias[v]; ok {
			return to
		}
		return v
	}
	entities := make([]id.ID, len(ids))
	for i, v := range ids {
		entities[i] = at(v)
	}
	slices.SortFunc(entities, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) })
	have, err := recipients(tx, cid, slices.Compact(entities), tx.Dialect().ForUpdate())
	if err != nil {
		return nil, err
	}
	started, err := s.startAgain(tx, actor, c, rule, have)
	if err != nil {
		return nil, err
	}
	out := make(map[id.ID]Retriggered, len(ids))
	for _, v := range ids {
		who := at(v)
		switch r, ok := started[who]; {
		case ok:
			out[v] = r
			delete(started, who) // by another id of the same person: not failed any more
		case have[who].Entity.IsZero():
			out[v] = Retriggered{Result: ResultUnknown}
		default:
			out[v] = Retriggered{Result: ResultStatus}
		}
	}
	return out, nil
}

// startAgain begins a run for each of the recipients whose last one failed.
func (s *Service) startAgain(tx *store.Tx, actor string, c Campaign, rule id.ID, have map[id.ID]Recipient) (map[id.ID]Retriggered, error) {
	var list []automation.Launch
	for _, v := range have {
		if v.AutomationStatus == Failed {
			list = append(list, automation.Launch{Rule: rule, Schema: v.Schema, Entity: v.Entity, Title: v.Title, Owner: c.ID, Later: true,
				Cause: fmt.Sprintf("retrigger:%s:%s:%d", c.ID, v.Entity, v.starts+1)})
		}
	}
	slices.SortFunc(list, func(a, b automation.Launch) int { return slices.Compare(a.Entity[:], b.Entity[:]) })
	if len(list) == 0 {
		return nil, nil
	}
	refs := make([]entity.Ref, len(list))
	for i, l := range list {
		refs[i] = entity.Ref{Schema: l.Schema, ID: l.Entity}
	}
	subjects, err := s.jobs.SubjectsIn(tx, refs)
	if err != nil {
		return nil, err
	}
	out := make(map[id.ID]Retriggered, len(list))
	kept := list[:0:0]
	for i, sub := range subjects {
		if sub.Gone {
			out[sub.ID] = Retriggered{Result: ResultFailure, Error: "the entity is gone"}
			continue
		}
		list[i].Contact = sub.Contact
		kept = append(kept, list[i])
	}
	list = kept
	launched, err := s.automations.LaunchIn(tx, actor, list)
	if err != nil {
		return nil, err
	}
	for i, l := range launched {
		v := have[list[i].Entity]
		if l.Err != nil {
			f := fault.As(l.Err)
			if f == nil {
				return nil, l.Err
			}
			out[v.Entity] = Retriggered{Result: ResultFailure, Error: f.Message}
			continue
		}
		out[v.Entity] = Retriggered{Result: ResultSuccess, Run: l.Run}
		if v.AutomationStatus = words[l.Status]; v.AutomationStatus == "" {
			v.AutomationStatus = Pending
		}
		v.Run, v.Execution = l.Run, ""
		v.starts++
		if err := keep(tx, &v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
