package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/job"
	"parley/internal/store"
)

// Headers of a delivery. SignatureHeader: seed 000, callbacks.
const (
	SignatureHeader = "x-ecodrix-signature"
	DeliveryHeader  = "x-parley-delivery" // the delivery's id, the same in every attempt
	AttemptHeader   = "x-parley-attempt"  // from 1
	EventHeader     = "x-parley-event"
)

// Sign returns the signature of a body: "sha256=" and the lower-case hex of
// HMAC-SHA256 over its exact bytes, the secret used as it is written.
func Sign(secret string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// outcome is how an attempt ended.
type outcome struct {
	state     string
	next      time.Time // for Pending
	status    int       // the receiver's, 0 when there was none
	body      string
	err       string
	signature string
}

// ended is an attempt whose outcome is not recorded yet.
type ended struct {
	claimed
	outcome
}

// attempt makes one call and leaves its outcome to the lane's next Claim or Settle.
func (s *Service) attempt(ctx context.Context, l job.Lane, c claimed) {
	e := ended{c, s.call(ctx, c)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[l] = append(s.ended[l], e)
}

// take takes the outcomes of a lane that are to be recorded.
func (s *Service) take(l job.Lane) []ended {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.ended[l]
	delete(s.ended, l)
	return list
}

// giveBack is take undone.
func (s *Service) giveBack(l job.Lane, list []ended) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[l] = append(list, s.ended[l]...)
}

// Settle implements job.Settler: each outcome by itself, so that none is lost
// because of another one.
func (s *Service) Settle(ctx context.Context, l job.Lane) {
	for _, e := range s.take(l) {
		rec, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := s.db.Write(rec, l.Tenant, func(tx *store.Tx) error {
			if err := s.settle(tx, e.claimed, e.outcome); err != nil {
				return err
			}
			job.WakeLane(tx, ledgerName, e.Endpoint)
			return nil
		})
		cancel()
		if err != nil {
			slog.Error("could not record how a webhook delivery ended; it goes again when its lease ends", "delivery", e.ID, "error", err)
		}
	}
}

func (s *Service) call(ctx context.Context, c claimed) outcome {
	p := Policies[c.Policy]
	if c.NoSecret != "" && !p.Unsigned {
		return outcome{state: Failed, err: c.NoSecret}
	}
	if c.Gone {
		return outcome{state: Failed, err: "its body was erased"}
	}
	body := []byte(c.Body)
	if p.Stamp != "" {
		body = stamps[p.Stamp](c, s.db.Clock().Now())
	}
	cctx, cancel := context.WithTimeout(ctx, p.Timeout+time.Second)
	defer cancel()
	header := map[string]string{"content-type": "application/json"}
	for name, value := range c.Headers {
		header[strings.ToLower(name)] = value
	}
	sig := ""
	if !p.Unsigned {
		sig = Sign(c.Secret, body)
		header[SignatureHeader] = sig
	}
	header[EventHeader] = c.Event
	header[DeliveryHeader], header[AttemptHeader] = c.ID.String(), strconv.Itoa(c.Attempt)
	res, err := s.sender.Post(cctx, Request{Method: c.Method, URL: c.URL, Body: body, Timeout: p.Timeout, Header: header, Stay: p.Stay})
	o := outcome{state: Pending, signature: sig, status: res.Status, body: keep(string(res.Body), max(p.Keep, keptBody))}
	switch {
	case err == nil && p.succeeded(res.Status):
		o.state = Sent
		return o
	case refused(err):
		o.state, o.err = Failed, "not called: "+err.Error()
	case err != nil && ctx.Err() != nil:
		// The server is stopping: not the receiver's fault, so not its last attempt.
		o.next, o.err = s.db.Clock().Now(), "the server stopped during this attempt"
		return o
	case errors.Is(err, context.DeadlineExceeded):
		o.err = fmt.Sprintf("the receiver did not answer within %s", p.Timeout)
	case err != nil:
		o.err = err.Error()
	default:
		o.err = "the receiver answered with status " + strconv.Itoa(res.Status)
		if !p.again(res.Status) {
			o.state = Failed
		}
	}
	if c.Attempt >= p.Attempts {
		o.state = Failed
	}
	return o
}

func refused(err error) bool {
	f := fault.As(err)
	return f != nil && f.Code == fault.Invalid
}

// settle records an outcome, unless the attempt is no longer the present one. Then
// the next delivery of the endpoint may go: the caller looks, or wakes the lane.
func (s *Service) settle(tx *store.Tx, c claimed, o outcome) error {
	if o.state == Pending {
		if err := s.wanted(tx, c, &o); err != nil {
			return err
		}
	}
	next := o.next
	if next.IsZero() {
		if next = tx.Now(); o.state == Pending {
			next = next.Add(Policies[c.Policy].pause(c.ID, c.Attempt))
		}
	}
	n, err := tx.Exec(`UPDATE webhook_delivery SET state=?, next_at=?, lease_until=NULL, response_status=?, response_body=?, last_error=?, signature=COALESCE(?, signature), updated_at=?
		WHERE tenant_id=? AND id=? AND state='sending' AND attempt=?`,
		o.state, next, nullInt(o.status), store.NullText(o.body), store.NullText(keep(o.err, keptError)), store.NullText(o.signature), tx.Now(), c.ID, c.Attempt)
	if err != nil || n == 0 {
		return err // n == 0: a later attempt has it now
	}
	if o.state == Pending || Policies[c.Policy].Quiet {
		return nil
	}
	return s.announce(tx, c, o.state)
}

// wanted gives up what would be tried again when nobody wants it any more.
func (s *Service) wanted(tx *store.Tx, c claimed, o *outcome) error {
	alive, ok := s.alive[c.Policy]
	if !ok {
		return nil
	}
	yes, err := alive(tx, c.Endpoint)
	if err == nil && !yes {
		o.state, o.next = Failed, time.Time{}
		o.err = unwanted + "; the last attempt: " + o.err
	}
	return err
}

const unwanted = "given up: the subscription has ended"

// keep cuts text to at most n bytes that both databases store.
func keep(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

func nullInt(n int) any {
	if n == 0 {
		return nil
	}
	return n
}
