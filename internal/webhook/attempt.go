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

// attempt makes one call and records how it ended.
func (s *Service) attempt(ctx context.Context, c claimed) {
	o := s.call(ctx, c)
	// The outcome is recorded also when the server is stopping.
	rec, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	err := s.db.Write(rec, c.Tenant, func(tx *store.Tx) error {
		o := o
		if o.state == Pending && o.next.IsZero() {
			o.next = tx.Now().Add(Policies[c.Policy].pause(c.ID, c.Attempt))
		}
		return s.settle(tx, c, o)
	})
	if err != nil {
		slog.Error("could not record how a webhook delivery ended; it goes again when its lease ends", "delivery", c.ID, "error", err)
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

// settle records an outcome, unless the attempt is no longer the present one,
// and lets the next delivery of the endpoint go.
func (s *Service) settle(tx *store.Tx, c claimed, o outcome) error {
	if o.state == Pending {
		if err := s.wanted(tx, c, &o); err != nil {
			return err
		}
	}
	next := o.next
	if next.IsZero() {
		next = tx.Now()
	}
	n, err := tx.Exec(`UPDATE webhook_delivery SET state=?, next_at=?, lease_until=NULL, response_status=?, response_body=?, last_error=?, signature=COALESCE(?, signature), updated_at=?
		WHERE tenant_id=? AND id=? AND state='sending' AND attempt=?`,
		o.state, next, nullInt(o.status), store.NullText(o.body), store.NullText(keep(o.err, keptError)), store.NullText(o.signature), tx.Now(), c.ID, c.Attempt)
	if err != nil || n == 0 {
		return err // n == 0: a later attempt has it now
	}
	if o.state != Pending && !Policies[c.Policy].Quiet {
		if err := s.announce(tx, c, o.state); err != nil {
			return err
		}
	}
	job.WakeLane(tx, ledgerName, c.Endpoint)
	return nil
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
