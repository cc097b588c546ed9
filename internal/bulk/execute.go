package bulk

import (
	"context"
	"time"

	"parley/internal/automation"
	"parley/internal/entity"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/record"
	"parley/internal/store"
)

// Statuses of items beside those of their runs.
const (
	waiting   = automation.ExecPending   // its turn has not come
	untouched = automation.ExecCancelled // its turn never came
)

// isOpen reports whether an item has a run that has not ended.
func isOpen(it Item) bool {
	switch it.Status {
	case automation.ExecPending, automation.ExecScheduled, automation.ExecInProgress, automation.ExecPaused:
		return !it.Run.IsZero()
	}
	return false
}

// pace fits the size of batches to how long their transactions take, so that other
// writers wait about as long behind one as behind each other.
type pace struct {
	size   int
	target time.Duration
	later  bool // first steps are left to jobs: a batch failed
}

// newPace begins small. On SQLite everybody waits for a transaction; on PostgreSQL
// nobody does, and each statement costs a round trip, so that it may last longer.
func newPace(d store.Dialect, later bool) pace {
	p := pace{size: 4 * minBatch, target: 10 * time.Millisecond, later: later}
	if d == store.Postgres {
		p.target = 200 * time.Millisecond
	}
	return p
}

// took moves on towards the target, halfway: what a batch costs whatever its size
// must not make the next ones smaller and smaller.
func (p *pace) took(d time.Duration) {
	next := 2 * p.size
	if d > 0 {
		next = min(next, (p.size+int(int64(p.size)*int64(p.target)/int64(d)))/2)
	}
	p.size = min(max(next, minBatch), maxBatch)
}

// execute begins the runs of the next batch. When a batch fails over the steps of
// some run, it is tried once more with every run's steps left to a job of its own.
func (s *Service) execute(ctx context.Context, tenant, jobID id.ID, p *pace) error {
	err := s.batch(ctx, tenant, jobID, p)
	if err != nil && fault.As(err) == nil && ctx.Err() == nil && !p.later {
		p.later = true
		err = s.batch(ctx, tenant, jobID, p)
	}
	return err
}

func (s *Service) batch(ctx context.Context, tenant, jobID id.ID, p *pace) error {
	took, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (time.Duration, error) {
		begun := time.Now()
		if err := s.LockIn(tx, jobID); err != nil {
			return 0, err
		}
		j, err := get(tx, jobID)
		if err != nil || j.Status != Loaded && j.Status != Executing {
			return 0, err
		}
		err = s.begin(tx, &j, p)
		return time.Since(begun), err
	})
	if err == nil {
		p.took(took)
	}
	return err
}

// begin starts the runs of a locked job's next batch, or finds that all have begun.
func (s *Service) begin(tx *store.Tx, j *Job, p *pace) error {
	list, err := nextItems(tx, j.ID, j.ranTo, p.size)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		j.Status = Watching
		if err := save(tx, j); err != nil {
			return err
		}
		return s.tell(tx, "bulk_job.updated", j.Actor, *j)
	}
	if err := s.rules.LaunchableIn(tx, j.Rule, j.Schema); fault.As(err) != nil {
		return s.giveUp(tx, j, err)
	} else if err != nil {
		return err
	}
	f, err := s.followerOf(tx, j.Owner)
	if err != nil {
		return err
	}
	var start []bool
	if f.Begin != nil {
		if start, err = f.Begin(tx, *j, list); err != nil {
			return err
		}
	}
	if err := s.launch(tx, j, list, start, p.later); err != nil {
		return err
	}
	if err := saveItems(tx, j.ID, list); err != nil {
		return err
	}
	first := j.Status == Loaded
	j.Status, j.ranTo = Executing, list[len(list)-1].Entity
	if err := save(tx, j); err != nil {
		return err
	}
	if f.Began != nil {
		asked := list[:0:0]
		for i, it := range list {
			if start == nil || start[i] {
				asked = append(asked, it)
			}
		}
		if len(asked) > 0 {
			if err := f.Began(tx, *j, asked); err != nil {
				return err
			}
		}
	}
	if first {
		return s.tell(tx, "bulk_job.updated", j.Actor, *j)
	}
	return nil
}

// giveUp fails a job whose rule cannot be launched any more.
func (s *Service) giveUp(tx *store.Tx, j *Job, cause error) error {
	problem := fault.As(cause).Message
	if fault.As(cause).Code == fault.NotFound {
		problem = "the automation flow was deleted while the job ran"
	}
	if err := s.end(tx, "system", j, Failed, problem); err != nil {
		return err
	}
	return s.carryOn(tx, j.ID)
}

// launch starts the runs of those that are to start and fills in what became of
// each. The cause of a run names the person: those who were merged since the
// audience was written down get one run, by the id that comes first.
func (s *Service) launch(tx *store.Tx, j *Job, list []Item, start []bool, later bool) error {
	var asked []entity.Ref
	var at []int
	for i := range list {
		if start != nil && !start[i] {
			list[i].Status = automation.ExecSkipped
			j.Refused++
			continue
		}
		asked, at = append(asked, entity.Ref{Schema: list[i].Schema, ID: list[i].Entity}), append(at, i)
	}
	subjects, err := s.SubjectsIn(tx, asked)
	if err != nil {
		return err
	}
	var launches []automation.Launch
	var of []int
	for k, sub := range subjects {
		it := &list[at[k]]
		if sub.Gone {
			it.Status, it.Error = automation.ExecFailed, "the entity is gone"
			j.Refused++
			continue
		}
		launches = append(launches, automation.Launch{Rule: j.Rule, Schema: it.Schema, Entity: it.Entity, Contact: sub.Contact,
			Cause: "bulk:" + j.ID.String() + ":" + sub.Now.String(), Owner: j.ID, Later: later})
		of = append(of, at[k])
	}
	out, _, err := s.rules.LaunchManyIn(tx, j.Actor, launches)
	if err != nil {
		return err
	}
	for k, l := range out {
		it := &list[of[k]]
		switch {
		case l.Err != nil:
			it.Status, it.Error = automation.ExecFailed, fault.As(l.Err).Message
			j.Refused++
		case !l.Fresh:
			it.Status, it.Error = automation.ExecSkipped, "the same person is in this job by another id"
			j.Refused++
		default:
			it.Run, it.Status, it.Error = l.Run, l.Status, l.Error
			j.Started++
		}
	}
	return nil
}

// Subject is what is needed to launch a rule about an entity.
type Subject struct {
	entity.Ref
	Now     id.ID // the same, but for a contact that was merged: whom its id leads to
	Contact id.ID // a person itself, or whom a record relates to, or zero
	Gone    bool  // there is no such entity, or not any more
}

// SubjectsIn finds the people behind entities, in the order of the refs.
func (s *Service) SubjectsIn(r store.Reader, refs []entity.Ref) ([]Subject, error) {
	out := make([]Subject, len(refs))
	by := map[string][]id.ID{}
	for i, ref := range refs {
		out[i] = Subject{Ref: ref, Now: ref.ID}
		by[ref.Schema] = append(by[ref.Schema], ref.ID)
	}
	leads, err := s.contacts.ResolveMany(r, by[entity.Contact])
	if err != nil {
		return nil, err
	}
	delete(by, entity.Contact)
	there := map[id.ID]bool{}
	related := map[id.ID]id.ID{}
	for schema, ids := range by {
		records, err := s.records.GetMany(r, ids)
		if err != nil {
			return nil, err
		}
		var living []record.Record
		var others []id.ID
		for _, v := range ids {
			switch rec, ok := records[v]; {
			case !ok:
				others = append(others, v)
			case rec.Schema == schema && rec.DeletedAt.IsZero():
				there[v] = true
				living = append(living, rec)
			}
		}
		if len(living) > 0 {
			people, err := s.records.RelatedContacts(r, living)
			if err != nil {
				return nil, err
			}
			for v, cid := range people {
				related[v] = cid
			}
		}
		if len(others) > 0 { // of a small schema
			docs, err := s.entities.Documents(r, schema, others)
			if err != nil {
				return nil, err
			}
			for v := range docs {
				there[v] = true
			}
		}
	}
	for i := range out {
		sub := &out[i]
		if sub.Schema != entity.Contact {
			sub.Contact, sub.Gone = related[sub.ID], !there[sub.ID]
			continue
		}
		if to, merged := leads[sub.ID]; merged {
			sub.Now = to
		}
		sub.Contact = sub.Now // a launch says whether it is there
	}
	return out, nil
}
