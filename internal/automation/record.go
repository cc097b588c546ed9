package automation

import (
	"strconv"
	"strings"
	"time"

	"parley/internal/conversation/variables"
	"parley/internal/store"
)

// record notes the step of a node; writeSteps puts it on disk.
func (w *walk) record(node, kind, status string, output map[string]any, problem string) {
	st := Step{Node: node, Kind: kind, Status: status, Output: output, Error: problem, StartedAt: w.tx.Now()}
	if status != StepWaiting {
		st.CompletedAt = w.tx.Now()
	}
	w.steps = append(w.steps, st)
	w.r.steps++
	w.passed = append(w.passed, "node:"+status+":"+node)
	if w.begun != nil {
		w.begun[node] = true
	}
}

// writeSteps writes the noted steps by one statement.
func (w *walk) writeSteps() error {
	if len(w.steps) == 0 {
		return nil
	}
	if w.batch != nil {
		w.batch.addSteps(w)
		return nil
	}
	var q strings.Builder
	q.WriteString("INSERT INTO run_step (tenant_id, run_id, position, node, kind, status, output, error, started_at, completed_at) VALUES ")
	args := []any{w.r.id}
	first := w.r.steps - len(w.steps)
	for i, st := range w.steps {
		if i > 0 {
			q.WriteByte(',')
		}
		q.WriteString("(?1,?2")
		var out any
		if st.Output != nil {
			out = store.JSON(st.Output)
		}
		for _, v := range []any{first + i, st.Node, st.Kind, st.Status, out, store.NullText(st.Error), st.StartedAt, st.CompletedAt} {
			args = append(args, v)
			q.WriteString(",?" + strconv.Itoa(len(args)+1))
		}
		q.WriteByte(')')
	}
	w.steps = nil
	_, err := w.tx.Exec(q.String(), args...)
	return err
}

// finish closes the waiting step of a branch.
func (w *walk) finish(b branch, status string, output map[string]any, problem string) error {
	var out any
	if output != nil {
		out = store.JSON(output)
	}
	w.passed = append(w.passed, "node:"+status+":"+b.node)
	_, err := w.tx.Exec("UPDATE run_step SET status=?, output=COALESCE(?, output), error=COALESCE(?, error), completed_at=? WHERE tenant_id=? AND run_id=? AND position=?",
		status, out, store.NullText(problem), w.tx.Now(), w.r.id, b.step)
	return err
}

// hasBegun reports whether a node happened in this run. Only a node that
// several ways lead to can have.
func (w *walk) hasBegun(node string) (bool, error) {
	if !w.g.joins[node] {
		return false, nil
	}
	if w.begun == nil {
		rows, err := w.tx.Query("SELECT node FROM run_step WHERE tenant_id=? AND run_id=? AND status<>?", w.r.id, StepRetried)
		list, err := collectTexts(rows, err)
		if err != nil {
			return false, err
		}
		w.begun = map[string]bool{}
		for _, n := range list {
			w.begun[n] = true
		}
		for _, st := range w.steps {
			w.begun[st.Node] = true
		}
	}
	return w.begun[node], nil
}

// fail records a failed node, or closes the step of the branch at that waited
// in it, and returns the nodes that follow: along the edge "error" if there is
// one; else the branch ends here, and the run will have failed. A step of a
// sequence says itself how it goes on (reference 4.7).
func (w *walk) fail(nid string, n *Node, at *branch, output map[string]any, reason string) ([]string, error) {
	reason = cut(storable(reason), 1000)
	note := func(status string) error {
		if at != nil {
			return w.finish(*at, status, output, reason)
		}
		w.record(nid, n.name(), status, output, reason)
		return nil
	}
	if n.OnFail == failRetry && w.dry == nil {
		pause, again, err := w.pause(nid)
		if err != nil {
			return nil, err
		}
		if again {
			if at != nil {
				if err := note(StepRetried); err != nil {
					return nil, err
				}
			}
			due := w.tx.Now().Add(pause)
			return nil, w.wait(nid, n, branch{resumeAt: due}, map[string]any{"until": variables.ISO(due)}, reason)
		}
	}
	if err := note(StepFailed); err != nil {
		return nil, err
	}
	switch n.OnFail {
	case failContinue, failRetry:
		return n.Next[handleDefault], nil
	case failStop:
		w.r.err = reason
		return nil, nil
	}
	next := n.Next[handleError]
	if len(next) == 0 && w.r.err == "" {
		w.r.err = reason
	}
	return next, nil
}

// pause says how long a step that failed waits before its next attempt, and
// whether it has one: three attempts, 20 s and 40 s apart (reference 4.14).
func (w *walk) pause(nid string) (time.Duration, bool, error) {
	var failures int
	err := w.tx.QueryRow("SELECT COUNT(*) FROM run_step WHERE tenant_id=? AND run_id=? AND node=? AND status=?", w.r.id, nid, StepRetried).Scan(&failures)
	return 20 * time.Second << failures, failures < 2, err
}
