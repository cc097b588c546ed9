package sales

import (
	"time"

	"parley/internal/handover"
	"parley/internal/httpx"
)

// prospectRange reads the three pairs of moments of a list of prospects and holds
// each that is there to the rule of the 31 days; a list with neither a limit nor a
// moment shows those created in the last 31 days (reference §4.4, S).
func prospectRange(r *httpx.Request, now time.Time, flt *handover.Filter) error {
	any := false
	for _, p := range []struct {
		after, afterAlias, before, beforeAlias string
		from, to                               *time.Time
	}{
		{"createdAfter", "start", "createdBefore", "end", &flt.CreatedAfter, &flt.CreatedBefore},
		{"claimedAfter", "claimStart", "claimedBefore", "claimEnd", &flt.ClaimedAfter, &flt.ClaimedBefore},
		{"transferredAfter", "transferStart", "transferredBefore", "transferEnd", &flt.TransferredAfter, &flt.TransferredBefore},
	} {
		var err error
		if *p.from, *p.to, err = window(r, now, flt.Limit > 0, p.after, p.afterAlias, p.before, p.beforeAlias); err != nil {
			return err
		}
		any = any || !p.from.IsZero() || !p.to.IsZero()
	}
	if flt.Limit == 0 && !any {
		flt.CreatedAfter = recent(now)
	}
	return nil
}
