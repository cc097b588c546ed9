package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/job"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// Pauses between retries of a message: doubling from the first to the longest.
const (
	firstPause   = 2 * time.Second
	longestPause = 10 * time.Minute
)

// recordTries is how often an outcome is written at once, recordPause how long the
// pauses between further tries are.
const (
	recordTries = 3
	recordPause = time.Second
)

// work hands one claimed row over and records the outcome.
func (o *Outbox) work(a channel.Account, ch channel.Channel, row ledger.Row, m channel.Outgoing) job.Work {
	return func(ctx context.Context) {
		var res channel.Result
		var why *channel.SendError
		if ctx.Err() != nil {
			// The node stops before the message was handed over: certainly not sent.
			why = &channel.SendError{Outcome: released, Title: "the server stopped before sending"}
		} else {
			res, why = o.send(ctx, a, ch, m)
		}
		err := o.record(ctx, a, func(tx *store.Tx) error { return o.recordIn(tx, a, row, res, why) })
		if err == nil {
			return
		}
		o.o.Logger.Error("could not record what became of a message; its lease will end", "message", row.ID, "attempt", row.Attempt, "error", err)
	}
}

// record writes what became of an attempt: a fact that must not die with the
// caller's context, nor because the database is away for a moment. It is tried until
// the lease ends, or a few times when the server stops.
func (o *Outbox) record(ctx context.Context, a channel.Account, f func(tx *store.Tx) error) error {
	begun := o.clock.Now()
	for try := 1; ; try++ {
		err := o.db.Write(context.WithoutCancel(ctx), a.Tenant, f)
		if err == nil || fault.As(err) != nil && fault.As(err).Code != fault.Unavailable {
			return err
		}
		if try < recordTries {
			continue
		}
		if ctx.Err() != nil || o.clock.Now().Sub(begun) > o.o.Lease-o.o.SendTimeout {
			return err
		}
		timer, stop := o.clock.After(recordPause)
		select {
		case <-timer:
		case <-ctx.Done():
		}
		stop()
	}
}

// released is the outcome of an attempt that was never handed over.
const released channel.Outcome = "released"

// send calls the channel. Whatever is not a clear answer is unknown: the
// message may have been taken.
func (o *Outbox) send(ctx context.Context, a channel.Account, ch channel.Channel, m channel.Outgoing) (res channel.Result, why *channel.SendError) {
	ctx, cancel := context.WithTimeout(ctx, o.o.SendTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			o.o.Logger.Error("panic in a channel", "kind", a.Kind, "panic", fmt.Sprint(p))
			why = &channel.SendError{Outcome: channel.Unknown, Title: "the channel broke off"}
		}
	}()
	res, err := ch.Send(ctx, a, m)
	if err == nil {
		return res, nil
	}
	if !errors.As(err, &why) {
		why = &channel.SendError{Outcome: channel.Unknown, Title: err.Error()}
	}
	clean := *why
	clean.Title = ledger.Tidy(why.Title)
	return res, &clean
}

// underWay are the states in which an attempt still waits for its outcome.
var underWay = []string{ledger.Sending, ledger.Unknown}

// recordIn writes the outcome of an attempt. An acceptance is a fact and ends
// the row in whatever open state it is; anything else speaks only for its own
// attempt, while that waits for an answer. A row that a receipt has ended stays.
func (o *Outbox) recordIn(tx *store.Tx, a channel.Account, row ledger.Row, res channel.Result, why *channel.SendError) error {
	if err := o.messages.LockIn(tx, row.ID); err != nil {
		return err
	}
	if why != nil && why.AccountWide {
		wait := why.RetryAfter
		if wait <= 0 {
			wait = firstPause
		}
		if err := o.accounts.PauseIn(tx, a.ID, tx.Now().Add(wait), why.Title); err != nil {
			return err
		}
	}
	if why == nil {
		// An attempt that a rescue gave up may be accepted after all. Where the row
		// has ended the message still learns the provider's id.
		from := []string{ledger.Sending, ledger.Unknown, ledger.Queued}
		if _, err := ledger.ApplyIn(tx, row.ID, ledger.Change{From: from, To: ledger.Sent}); err != nil {
			return err
		}
		return o.messages.AcceptedIn(tx, actor, row.ID, res.ProviderID)
	}
	c, failure := o.verdict(tx.Now(), a, row, why)
	ok, err := ledger.ApplyIn(tx, row.ID, c)
	if err != nil || !ok {
		return err
	}
	if why.Outcome == channel.Refused { // perhaps for its file: the next message brings it anew
		for _, m := range files(&row.Content) {
			if err := o.messages.Files().ForgetUploadIn(tx, m.Own, a.ID); err != nil {
				return err
			}
		}
	}
	switch c.To {
	case ledger.Failed:
		return o.messages.FailedIn(tx, actor, row.ID, failure)
	case ledger.Unknown:
		return o.messages.UncertainIn(tx, actor, row.ID, &uncertain)
	}
	return o.messages.UncertainIn(tx, actor, row.ID, nil)
}

// uncertain is what a message shows while nobody knows.
var uncertain = conversation.SendFailure{Title: "outcome unknown"}

// verdict turns a failed attempt into the row's next step.
func (o *Outbox) verdict(now time.Time, a channel.Account, row ledger.Row, why *channel.SendError) (ledger.Change, conversation.SendFailure) {
	failure := conversation.SendFailure{Code: why.Code, Title: why.Title}
	c := ledger.Change{From: underWay, Attempt: row.Attempt, Why: why.Title}
	switch why.Outcome {
	case released:
		c.To, c.NextAt, c.Why = ledger.Queued, now, ""
	case channel.Retry:
		c.To, c.NextAt = ledger.Queued, now.Add(backoff(row.Failures, why.RetryAfter))
		// What stops the whole account is not this message's fault: it waits with
		// the others and never runs out of tries.
		if c.Failed = !why.AccountWide; c.Failed && row.Failures+1 >= o.o.MaxFailures {
			c.To, c.NextAt = ledger.Failed, time.Time{}
		}
	case channel.Refused:
		c.To = ledger.Failed
	default:
		c = o.doubtful(now, o.capabilities(a.Kind), row.Attempt, row.Failures)
		c.Why = why.Title
	}
	return c, failure
}

// doubtful is the step of an attempt that may have been sent: again where the
// provider dedupes and no receipt could tell us, else unknown.
func (o *Outbox) doubtful(now time.Time, caps channel.Capabilities, attempt, failures int) ledger.Change {
	c := ledger.Change{From: underWay, Attempt: attempt, To: ledger.Unknown, Why: uncertain.Title}
	if caps.Unknown == channel.UnknownResend && !caps.Echo && failures+1 < o.o.MaxFailures {
		c.To, c.NextAt, c.Failed = ledger.Queued, now.Add(backoff(failures, 0)), true
	}
	return c
}

func backoff(failures int, asked time.Duration) time.Duration {
	own := longestPause
	if failures < 9 {
		own = min(longestPause, firstPause<<failures)
	}
	return max(own, asked)
}

func (o *Outbox) capabilities(kind string) channel.Capabilities {
	if ch := o.channels[kind]; ch != nil {
		return ch.Capabilities()
	}
	return channel.Capabilities{}
}
