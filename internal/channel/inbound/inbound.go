// Package inbound is the entry of providers' webhooks: it knows no provider, a
// channel.Receiver does. It proves that a body comes from the provider, finds
// the tenants by the accounts the body names, and hands the batch to
// conversation before it answers. The server mounts its routes into a face's
// table; nothing else calls it.
//
// # Answers
//
// 200 says that everything in the body is on disk (or was already). 401: some
// named account did not sign it. 404: the body is for something else, or names
// an account that is not connected here. Nothing is stored in either case: an
// entry for another account rejects the whole, since its tenant has not proved
// to speak.
//
// Meta repeats whatever is not answered with 200, less and less often for up to
// seven days. That is wanted for an unknown account: messages that arrive
// before a tenant has finished connecting its number are not lost. Repetitions
// are harmless, because a message is stored once.
package inbound

import (
	"context"
	"net/http"

	"parley/internal/account"
	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/httpx"
)

// MaxBody is the longest webhook taken, in bytes (Meta Graph API, "Webhooks":
// payloads may be up to 3 MB).
const MaxBody = 3 << 20

// Source is one kind of channel whose webhooks come in.
type Source struct {
	Kind          string
	Receiver      channel.Receiver
	Accounts      *account.Service
	Conversations *conversation.Service
}

// Routes returns the public routes of a source at a path: GET answers the
// provider's handshake, POST takes its webhooks.
func Routes(s Source, path string) []httpx.Route {
	return []httpx.Route{
		{Method: http.MethodGet, Pattern: path, Public: true, NoTx: true, Handler: s.handshake},
		{Method: http.MethodPost, Pattern: path, Public: true, NoTx: true, MaxBody: MaxBody, IdempotencyField: "-", Handler: s.take},
	}
}

// handshake answers a subscription that names the verify token of any account.
func (s Source) handshake(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	tokens, err := s.Accounts.VerifyTokens(ctx, s.Kind)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	for _, t := range tokens {
		if answer, ok := s.Receiver.Challenge(query, t); ok {
			return &httpx.Response{Header: http.Header{
				"Content-Type":           {"text/plain; charset=utf-8"},
				"X-Content-Type-Options": {"nosniff"}, // the answer is the caller's own text
			}, Body: []byte(answer)}, nil
		}
	}
	return nil, fault.New(fault.Forbidden, "the verify token is not that of a connected account")
}

// take stores a webhook.
func (s Source) take(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	body := r.Body
	named, err := s.Receiver.Accounts(body)
	if err != nil {
		return nil, err
	}
	var accounts []channel.Account
	for _, external := range named {
		a, found, err := s.Accounts.ByExternal(ctx, s.Kind, external)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fault.New(fault.NotFound, "the webhook names an account that is not connected here").Because("account")
		}
		accounts = append(accounts, a)
	}
	for _, a := range accounts {
		if err := s.Receiver.Verify(r.Header, body, a); err != nil {
			return nil, err
		}
	}
	if len(accounts) == 0 {
		return received(), nil // news that concerns no account, e.g. of a template's review
	}
	batch, err := s.Receiver.Parse(body)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		if err := s.Conversations.Receive(ctx, a, of(batch, a.ExternalID)); err != nil {
			return nil, err
		}
	}
	return received(), nil
}

func received() *httpx.Response {
	return httpx.JSON(http.StatusOK, struct {
		Success bool `json:"success"`
	}{true})
}

// of returns the part of a batch that concerns one account.
func of(b channel.Batch, external string) (out channel.Batch) {
	for _, m := range b.Messages {
		if m.Account == external {
			out.Messages = append(out.Messages, m)
		}
	}
	for _, r := range b.Receipts {
		if r.Account == external {
			out.Receipts = append(out.Receipts, r)
		}
	}
	for _, p := range b.Preferences {
		if p.Account == external {
			out.Preferences = append(out.Preferences, p)
		}
	}
	return out
}
