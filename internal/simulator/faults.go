package simulator

import (
	"time"

	"parley/internal/fault"
)

// Fault makes the simulated Meta go wrong. Code, Status, Drop and Delay concern
// the next Count sends (1 by default); Duplicates and Disorder concern all
// webhooks until they are changed, and nil leaves them as they are.
type Fault struct {
	Account string `json:"account,omitempty"` // only this phone number id
	To      string `json:"to,omitempty"`      // only this phone
	Count   int    `json:"count,omitempty"`
	// On says what goes wrong: "" a send, "upload" a file on its way in, "download"
	// one on its way out. The last two know Code, Status and DelayMS only.
	On string `json:"on,omitempty"`
	// Code fails the send with one of Meta's codes, in the answer or by a failed
	// status as that code is documented.
	Code int `json:"code,omitempty"`
	// Status answers with this HTTP status and a page instead of JSON.
	Status int `json:"status,omitempty"`
	// Drop closes the connection: "before" the message is accepted or "after".
	Drop string `json:"drop,omitempty"`
	// DelayMS keeps the answer back, in milliseconds; the message is accepted
	// at once.
	DelayMS int `json:"delayMs,omitempty"`

	Duplicates *int  `json:"duplicates,omitempty"` // further copies of every webhook
	Disorder   *bool `json:"disorder,omitempty"`   // statuses of a message come in any order
	Clear      bool  `json:"clear,omitempty"`      // first forget all faults
}

type faultState struct {
	sends      []*Fault
	duplicates int
	disorder   bool
}

const maxFaults = 1000

// InjectFault adds a fault. A fault.Error names the field that is wrong.
func (s *Simulator) InjectFault(f Fault) error {
	if f.To != "" {
		number, ok := person(f.To)
		if !ok {
			return fault.Field("to", "to must be a phone number in international form")
		}
		f.To = number
	}
	switch {
	case f.Count < 0 || f.Count > 1_000_000:
		return fault.Field("count", "count must be between 1 and 1000000")
	case f.On != "" && f.On != "upload" && f.On != "download":
		return fault.Field("on", `on must be "upload" or "download", or absent`)
	case f.On != "" && (f.Drop != "" || f.To != ""):
		return fault.Field("on", "a fault of files has a code, a status or a delay only")
	case f.Code < 0:
		return fault.Field("code", "code must be one of Meta's error codes")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fault.Field("status", "status must be between 400 and 599")
	case f.Drop != "" && f.Drop != "before" && f.Drop != "after":
		return fault.Field("drop", `drop must be "before" or "after"`)
	case f.DelayMS < 0 || f.DelayMS > 600_000:
		return fault.Field("delayMs", "delayMs must be between 0 and 600000")
	case f.Duplicates != nil && (*f.Duplicates < 0 || *f.Duplicates > 100):
		return fault.Field("duplicates", "duplicates must be between 0 and 100")
	}
	if f.Code != 0 {
		_, ok := rules[f.Code]
		if _, page := pageRules[f.Code]; !ok && !page {
			return fault.Field("code", "code %d is not one of Meta's error codes that the simulator knows", f.Code)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Clear {
		s.faults = faultState{}
	}
	if f.Duplicates != nil {
		s.faults.duplicates = *f.Duplicates
	}
	if f.Disorder != nil {
		s.faults.disorder = *f.Disorder
	}
	if f.Code != 0 || f.Status != 0 || f.Drop != "" || f.DelayMS != 0 {
		if len(s.faults.sends) >= maxFaults {
			return fault.New(fault.Conflict, "there are %d faults waiting already: clear them first", maxFaults)
		}
		f.Count = max(f.Count, 1)
		s.faults.sends = append(s.faults.sends, &f)
	}
	return nil
}

// nextFault takes the first fault that concerns a send, or what on says; the
// caller holds mu.
func (s *Simulator) nextFault(on, account, to string) *Fault {
	for i, f := range s.faults.sends {
		if f.On != on || (f.Account != "" && f.Account != account) || (f.To != "" && f.To != to) {
			continue
		}
		if f.Count--; f.Count == 0 {
			s.faults.sends = append(s.faults.sends[:i:i], s.faults.sends[i+1:]...)
		}
		return f
	}
	return nil
}

func (f *Fault) delay() time.Duration {
	if f == nil {
		return 0
	}
	return time.Duration(f.DelayMS) * time.Millisecond
}
