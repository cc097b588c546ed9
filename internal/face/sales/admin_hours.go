package sales

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
)

// shiftWire is a stretch of working time on one day of the week, by the clock of
// the group or agent. One that ends at or before its beginning ends the next day;
// "24:00" is the end of the day. Our own shape, since the reference has none.
type shiftWire struct {
	Day  string `json:"day"`
	From string `json:"from"`
	To   string `json:"to"`
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// hoursIn reads working hours; null and [] ask the group above.
func hoursIn(g given[[]shiftWire]) (*agent.Hours, error) {
	if !g.Set {
		return nil, nil
	}
	out := agent.Hours{}
	var bad fault.Collector
	for i, s := range g.Value {
		at := fmt.Sprintf("workingHours[%d]", i)
		shift := agent.Shift{Day: -1}
		for d, name := range weekdays {
			if strings.EqualFold(strings.TrimSpace(s.Day), name) {
				shift.Day = time.Weekday(d)
			}
		}
		if shift.Day < 0 {
			bad.Add(fault.Field(at+".day", "%s.day must be a day of the week such as monday", at))
		}
		var err error
		shift.From, err = clockTime(at+".from", s.From)
		bad.Add(err)
		shift.To, err = clockTime(at+".to", s.To)
		bad.Add(err)
		out = append(out, shift)
	}
	return &out, bad.Err()
}

// clockTime reads "09:00" as minutes from midnight.
func clockTime(field, s string) (int, error) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, herr := strconv.Atoi(h)
	minute, merr := strconv.Atoi(m)
	if !ok || herr != nil || merr != nil || len(h) > 2 || len(m) != 2 || hour < 0 || hour > 24 || minute < 0 || minute > 59 || hour == 24 && minute > 0 {
		return 0, fault.Field(field, "%s must be a time such as 09:00 (24:00 is the end of the day)", field)
	}
	return hour*60 + minute, nil
}

func hoursOut(list agent.Hours) []shiftWire {
	out := make([]shiftWire, len(list))
	for i, s := range list {
		out[i] = shiftWire{weekdays[s.Day], fmt.Sprintf("%02d:%02d", s.From/60, s.From%60), fmt.Sprintf("%02d:%02d", s.To/60, s.To%60)}
	}
	return out
}

// span is a length of time: seconds, or a text such as "3h" or "14d"; 0, null and
// "never" are never.
type span struct {
	Set bool
	D   time.Duration
	bad bool
}

// maxSpan keeps seconds from overflowing; what is too long is refused later.
const maxSpan = 10 * 366 * 24 * 3600

// UnmarshalJSON reads either form.
func (s *span) UnmarshalJSON(b []byte) error {
	s.Set = true
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch t := v.(type) {
	case nil:
	case float64:
		s.bad = t != t || t < 0 || t > maxSpan || t != float64(int64(t))
		if !s.bad {
			s.D = time.Duration(int64(t)) * time.Second
		}
	case string:
		if t == "" || t == "never" {
			break
		}
		unit, ok := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[t[len(t)-1]]
		n, err := strconv.Atoi(t[:len(t)-1])
		s.bad = !ok || err != nil || n < 0 || n > maxSpan/60
		if !s.bad {
			s.D = time.Duration(n) * unit
		}
	default:
		s.bad = true
	}
	return nil
}

func (s span) ptr(field string) (*time.Duration, error) {
	switch {
	case s.bad:
		return nil, fault.Field(field, `%s must be a number of seconds, or a text such as "3h" or "14d", or "never"`, field)
	case !s.Set:
		return nil, nil
	}
	return &s.D, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
