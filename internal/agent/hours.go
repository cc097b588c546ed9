package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
)

// Shift is a stretch of working time that comes back every week, in minutes of
// the wall clock from midnight. One that ends at or before its beginning ends on
// the next day. To counts no more: until 18:00 is not at 18:00.
type Shift struct {
	Day  time.Weekday `json:"day"`
	From int          `json:"from"` // 0 to 1439
	To   int          `json:"to"`   // 1 to 1440
}

// Hours are the working hours of a group or an agent. Empty ones say nothing.
type Hours []Shift

const (
	minutesADay = 24 * 60
	maxShifts   = 100
)

// Contain reports whether a moment lies in the hours, by the wall clock of its
// location. A clock that is put back shows an hour twice, and both count; one that
// is put forward skips an hour, and with it what lies in it.
func (h Hours) Contain(at time.Time) bool {
	day, minute := at.Weekday(), at.Hour()*60+at.Minute()
	before := (day + 6) % 7
	return slices.ContainsFunc(h, func(s Shift) bool {
		if s.From < s.To {
			return s.Day == day && s.From <= minute && minute < s.To
		}
		return s.Day == day && s.From <= minute || s.Day == before && minute < s.To
	})
}

// checked returns the hours sorted, or what is wrong with them.
func (h Hours) checked() (Hours, error) {
	if len(h) > maxShifts {
		return nil, fault.Field("workingHours", "workingHours hold at most %d shifts", maxShifts)
	}
	out := slices.Clone(h)
	if out == nil {
		out = Hours{}
	}
	for i, s := range out {
		field := fmt.Sprintf("workingHours[%d]", i)
		switch {
		case s.Day < time.Sunday || s.Day > time.Saturday:
			return nil, fault.Field(field+".day", "the day of a shift is a day of the week")
		case s.From < 0 || s.From >= minutesADay:
			return nil, fault.Field(field+".from", "a shift begins between 00:00 and 23:59")
		case s.To < 1 || s.To > minutesADay:
			return nil, fault.Field(field+".to", "a shift ends between 00:01 and 24:00")
		case s.From == s.To:
			return nil, fault.Field(field+".to", "a shift must not end when it begins; write a whole day as 00:00 to 24:00")
		}
	}
	slices.SortFunc(out, func(a, b Shift) int {
		return (int(a.Day)*minutesADay+a.From)*2*minutesADay + a.To - (int(b.Day)*minutesADay+b.From)*2*minutesADay - b.To
	})
	return slices.Compact(out), nil
}

// zone checks the name of a time zone.
func zone(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", nil
	}
	if _, err := time.LoadLocation(name); err != nil || name == "Local" || len(name) > 64 {
		return "", fault.Field("timezone", "a time zone is a name such as America/Sao_Paulo")
	}
	return name, nil
}
