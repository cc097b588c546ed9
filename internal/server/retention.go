package server

import (
	"context"
	"time"

	"parley/internal/app"
	"parley/internal/automation"
	"parley/internal/event"
	"parley/internal/job"
)

const kindRetention = "server.retention"

// retain prunes every hour what is older than the settings say. Each room knows
// what of its own may go.
func (a *App) retain() {
	a.runner.Register(job.Kind{Name: kindRetention, Timeout: 30 * time.Minute, Handle: func(ctx context.Context, _ *job.Job) error { return a.Prune(ctx) }})
	a.runner.Cron(kindRetention, "41 * * * *", job.New{Kind: kindRetention, UniqueKey: "retention", Priority: 9})
}

// Prune deletes what is older than the settings say, in small transactions.
func (a *App) Prune(ctx context.Context) error {
	const batch = 500
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	if _, _, _, err := a.Automations.Prune(ctx, automation.Keep{Runs: days(a.cfg.KeepRuns), Triggers: days(a.cfg.KeepTriggers), Decisions: days(a.cfg.KeepDecisions)}); err != nil {
		return err
	}
	if _, err := a.Bulk.Prune(ctx, days(a.cfg.KeepRuns)); err != nil {
		return err
	}
	for _, p := range []struct {
		keep  int
		prune func(before time.Time) (int64, error)
	}{
		{a.cfg.KeepWebhooks, func(before time.Time) (int64, error) { return a.Webhooks.Prune(ctx, before, batch) }},
		{a.cfg.KeepEvents, func(before time.Time) (int64, error) { return event.Prune(ctx, a.DB, before, batch) }},
		{app.KeepNotices, func(before time.Time) (int64, error) { return a.Apps.Prune(ctx, before, batch) }},
	} {
		for p.keep > 0 {
			n, err := p.prune(a.clock.Now().Add(-days(p.keep)))
			if err != nil {
				return err
			}
			if n < batch {
				break
			}
		}
	}
	return nil
}
