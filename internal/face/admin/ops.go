package admin

import (
	"context"
	"net/http"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/id"
)

func (f *Face) verify(ctx context.Context, _ *httpx.Request) (*httpx.Response, error) {
	rep, err := f.s.DB.Verify(ctx)
	if err != nil {
		return nil, err
	}
	return ok(rep)
}

type fileIn struct{ File string }

func (f *Face) backup(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in fileIn
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.File == "" {
		return nil, fault.Missing("file")
	}
	if err := f.s.DB.Backup(ctx, in.File); err != nil {
		return nil, err
	}
	return ok(map[string]string{"file": in.File})
}

func (f *Face) restore(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	var in fileIn
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.File == "" {
		return nil, fault.Missing("file")
	}
	if f.s.Restore == nil {
		return nil, fault.New(fault.Unready, "no server runs here")
	}
	// The server that answers this request is replaced by the restore, so it must
	// not wait for this request to end.
	if err := f.s.Restore(ctx, in.File); err != nil {
		return nil, err
	}
	return ok(map[string]string{"file": in.File})
}

type unknownOut struct {
	ID           string    `json:"id"`
	Conversation string    `json:"conversationId"`
	Attempt      int       `json:"attempt"`
	Error        string    `json:"error,omitempty"`
	Since        time.Time `json:"since"`
}

func (f *Face) unknown(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := f.s.Outbox.Unknown(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	out := make([]unknownOut, len(rows))
	for i, x := range rows {
		out[i] = unknownOut{ID: x.Message.String(), Conversation: x.Conversation.String(), Attempt: x.Attempt, Error: x.Why, Since: x.Since}
	}
	return ok(out)
}

func (f *Face) settle(ctx context.Context, r *httpx.Request, do func(ctx context.Context, tenant id.ID, by string, message id.ID) error) (*httpx.Response, error) {
	t, err := f.tenant(ctx, r)
	if err != nil {
		return nil, err
	}
	message, err := id.Parse(r.Param("id"))
	if err != nil {
		return nil, fault.Unknown("message")
	}
	if err := do(ctx, t.ID, "operator", message); err != nil {
		return nil, err
	}
	return httpx.Empty(http.StatusNoContent), nil
}

func (f *Face) retry(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.settle(ctx, r, f.s.Outbox.Retry)
}

func (f *Face) cancel(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	return f.settle(ctx, r, f.s.Outbox.Cancel)
}
