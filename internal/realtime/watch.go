package realtime

import (
	"context"
	"time"

	"parley/internal/fault"
)

// watch disconnects clients whose key has been revoked, or whose tenant has been
// suspended, within a few seconds. Each key is asked about once in a round,
// however many clients it has.
func (d *Dispatcher) watch(ctx context.Context) {
	for {
		timer, stop := d.db.Clock().After(look)
		select {
		case <-timer:
		case <-ctx.Done():
		}
		stop()
		if ctx.Err() != nil {
			return
		}
		d.review(ctx)
	}
}

func (d *Dispatcher) review(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	verdicts := map[string]error{}
	for _, k := range d.transport.Sockets() {
		s, _ := k.Session().(*Seat)
		if s == nil || s.Guest().Tenant.IsZero() {
			continue
		}
		token := s.Guest().Token
		err, asked := verdicts[token]
		if !asked {
			err = d.face.Check(ctx, token)
			verdicts[token] = err
		}
		if f := fault.As(err); f != nil { // any other error says nothing about the key
			d.log.Info("disconnected a live client: its key is not valid any more", "tenant", s.Guest().Tenant, "reason", f.Message)
			k.Disconnect()
		}
	}
}
