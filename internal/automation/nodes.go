package automation

import (
	"database/sql"
	"hash/fnv"
	"strings"
	"time"

	"parley/internal/conversation/variables"
	"parley/internal/store"
)

// node takes the run through one node and returns the nodes that follow. A
// fault is the node's failure; any other error is trouble of ours and undoes the
// whole transaction, to be tried again.
func (w *walk) node(nid string) ([]string, error) {
	n := w.g.Nodes[nid]
	sc := w.scope()
	switch n.Kind {
	case nodeCondition:
		ok, way := w.holds(n.When), handleNo
		if n.Entity != nil {
			m := w.g.entity[nid]
			ok = ok && m != nil && m.MatchAt(w.entity(), w.tx.Now(), w.set.Location())
		}
		if ok {
			way = handleYes
		}
		w.record(nid, n.name(), StepCompleted, map[string]any{"result": ok}, "")
		if !ok && n.Skips {
			w.leaveBy(ExitSkipped)
			return nil, nil
		}
		return n.Next[way], nil
	case nodeDelay:
		return w.delay(nid, n, sc)
	case nodeReply:
		return w.awaitReply(nid, n)
	case nodeEvent:
		return w.awaitEvent(nid, n)
	case nodeSplit:
		way := w.choose(nid, n)
		w.record(nid, n.name(), StepCompleted, map[string]any{"branch": way}, "")
		return n.Next[way], nil
	case nodeGoal:
		return w.atGoal(nid, n), nil
	case nodeAction:
		return w.action(nid, n, sc)
	}
	w.record(nid, n.name(), StepCompleted, nil, "") // a fork or an end
	return n.Next[handleDefault], nil
}

func (w *walk) holds(t *Test) bool { return t.pass(w.scope(), w.tx.Now(), w.set.Location()) }

// delay parks the run until a time. A time that comes of an event and is long
// past skips what was to follow (reference 4.5.7).
func (w *walk) delay(nid string, n *Node, sc *scope) ([]string, error) {
	now, after := w.tx.Now(), time.Duration(n.After)*time.Millisecond
	due := now.Add(after)
	switch {
	case n.Until != "":
		text := render(n.Until, sc, style{plain: true})
		t, _, ok := variables.Moment(strings.TrimSpace(text), w.set.Location())
		if !ok {
			return w.fail(nid, n, nil, nil, "the delay's until is not an ISO 8601 time: "+clip(text))
		}
		due = t
	case n.From == fromTrigger:
		due = w.r.started.Add(after)
	case n.From == fromEvent:
		t, ok := eventTime(w.r.vars, w.set.Location())
		if !ok {
			return w.fail(nid, n, nil, nil, "the variables hold no time of the event; send start_time or event_time as an ISO 8601 time, or date and time")
		}
		if due = t.Add(after); now.Sub(due) > time.Minute {
			w.record(nid, n.name(), StepSkipped, map[string]any{"until": variables.ISO(due)}, "the time for this has passed")
			return nil, nil
		}
	}
	output := map[string]any{"until": variables.ISO(due)}
	if !due.After(now) {
		w.record(nid, n.name(), StepCompleted, output, "")
		return n.Next[handleDefault], nil
	}
	if due.Sub(now) > maxDelay {
		return w.fail(nid, n, nil, nil, "the delay ends too far in the future: "+variables.ISO(due).(string))
	}
	if w.dry != nil {
		return w.dry.waits(w, nid, n, output), nil
	}
	return nil, w.wait(nid, n, branch{resumeAt: due}, output, "")
}

// eventTime reads the moment of an event from the variables: start_time or
// event_time, or date with time (reference 4.5.7).
func eventTime(vars map[string]any, zone *time.Location) (time.Time, bool) {
	for _, key := range []string{"start_time", "event_time", "startTime", "eventTime"} {
		if t, dateOnly, ok := variables.Moment(vars[key], zone); ok && !dateOnly {
			return t, true
		}
	}
	date, _ := vars["date"].(string)
	clock, _ := vars["time"].(string)
	day, dateOnly, ok := variables.Moment(strings.TrimSpace(date), zone)
	if !ok {
		return time.Time{}, false
	}
	if !dateOnly {
		return day, true
	}
	for _, form := range []string{"15:04", "15:04:05", "3:04 PM", "3:04PM", "3 PM", "3PM"} {
		if t, err := time.Parse(form, strings.ToUpper(strings.TrimSpace(clock))); err == nil {
			return time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone), true
		}
	}
	return time.Time{}, false
}

// choose draws a way out of a split by weight. The draw follows from the run's
// id and the node, so that it is the same whenever it is made; the step records it.
func (w *walk) choose(nid string, n *Node) string {
	var sum float64
	for _, way := range n.Ways {
		sum += way.Weight
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(w.r.id.String() + "/" + nid))
	x := h.Sum64()
	x ^= x >> 33 // FNV's high bits alone are not even enough
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	at := float64(x>>11) / (1 << 53) * sum
	last := ""
	for _, way := range n.Ways {
		if way.Weight <= 0 {
			continue
		}
		if last = way.Name; at < way.Weight {
			return last
		}
		at -= way.Weight
	}
	return last
}

// atGoal ends the run when the goal's conditions hold and it does not stand for
// an event, which ends the run by itself when it happens.
func (w *walk) atGoal(nid string, n *Node) []string {
	reached := n.Event == "" && w.holds(n.When)
	w.record(nid, n.name(), StepCompleted, map[string]any{"reached": reached}, "")
	if reached {
		w.leaveBy(ExitGoal)
		return nil
	}
	return n.Next[handleDefault]
}

// checkGoal ends the run, before it moves, when the conditions of a goal without
// an event hold by now.
func (w *walk) checkGoal() error {
	for _, nid := range w.g.goals {
		n := w.g.Nodes[nid]
		if w.holds(n.When) && w.err == nil {
			return w.reach(nid)
		}
	}
	return w.err
}

// reach ends the run at a goal that it did not walk to. One that it walked
// through before keeps the step it has.
func (w *walk) reach(nid string) error {
	var one int
	found, err := store.Found(w.tx.QueryRow("SELECT 1 FROM run_step WHERE tenant_id=? AND run_id=? AND node=? LIMIT 1", w.r.id, nid).Scan(&one))
	if err != nil {
		return err
	}
	if !found {
		w.record(nid, nodeGoal, StepCompleted, map[string]any{"reached": true}, "")
	}
	w.leaveBy(ExitGoal)
	return nil
}

// leaveBy ends the whole run at settle, for a reason.
func (w *walk) leaveBy(reason string) { w.over, w.r.exit, w.r.err = true, reason, "" }

func collectTexts(rows *sql.Rows, err error) ([]string, error) {
	return store.Collect(rows, err, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
}
