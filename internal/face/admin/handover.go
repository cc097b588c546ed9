package admin

import "context"

// Handover carries people between a command and the face when both are in one
// process, where writing and reading JSON would be for nothing. It travels in
// the context of a request, so that no caller of a socket can send one.
type Handover struct {
	People []Person // to be imported, or what was exported
	DryRun bool     // of an import
}

type handoverKey struct{}

// HandOver returns a context for a request that carries h.
func HandOver(ctx context.Context, h *Handover) context.Context {
	return context.WithValue(ctx, handoverKey{}, h)
}

func handover(ctx context.Context) *Handover {
	h, _ := ctx.Value(handoverKey{}).(*Handover)
	return h
}
