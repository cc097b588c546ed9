package sales

import (
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// windowSpan is how long a range without a limit may be, and the range of a list
// that names neither (reference §4.4, S).
const windowSpan = 31 * 24 * time.Hour

// window reads a pair of moments under the names after and before, each with its
// deprecated alias, and holds it to the rule of the 31 days: unless the list is
// limited, both ends must lie 0 to 31 days apart, and an end that is not named is
// now (reference §4.4, S). An absent pair stays zero; a one-sided Before lies within
// 31 days of now, to either side, and begins 31 days before now (reference §6.8). The fault is INVALID_DATE_RANGE.
func window(r *httpx.Request, now time.Time, limited bool, after, afterAlias, before, beforeAlias string) (from, to time.Time, err error) {
	if from, err = queryTime(r, after, afterAlias); err != nil {
		return from, to, err
	}
	if to, err = queryTime(r, before, beforeAlias); err != nil {
		return from, to, err
	}
	if limited || from.IsZero() && to.IsZero() {
		return from, to, nil
	}
	start, end := from, to
	switch {
	case end.IsZero():
		end = now
	case start.IsZero() && to.After(now): // the end of the day, or a clock that is ahead
		start = now
	case start.IsZero():
		start, end = to, now
	}
	if span := end.Sub(start); span < 0 || span > windowSpan {
		return from, to, fault.Field(after, "the range from %s to %s must be between 0 and 31 days; an end that is left out is now; name a limit to see older items", after, before).Because(reasonRange)
	}
	if from.IsZero() {
		from = now.Add(-windowSpan)
	}
	return from, to, nil
}

// recent is the window of a list that names neither a limit nor any date: the
// last 31 days.
func recent(now time.Time) time.Time { return now.Add(-windowSpan) }
