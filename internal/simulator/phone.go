package simulator

import (
	"encoding/json"
	"time"

	"parley/internal/fault"
)

// phoneKey is a person as one business number sees them: windows, opt-outs and
// pair rates belong to the pair.
type phoneKey struct{ account, phone string }

type phone struct {
	lastWrote time.Time // opens the window
	optedOut  bool
	blocked   bool // on Messenger: unavailable to the page
	pair      pair
	inbox     []Received // at most RingSize, oldest first
}

// Received is a message as the person's phone shows it.
type Received struct {
	ID       string          `json:"id"` // wamid
	Account  string          `json:"account"`
	From     string          `json:"from"` // digits of the business number
	To       string          `json:"to"`
	At       time.Time       `json:"at"`
	Type     string          `json:"type"`
	Text     string          `json:"text"` // what a reader sees; templates are filled in
	Template string          `json:"template,omitempty"`
	Language string          `json:"language,omitempty"`
	ReplyTo  string          `json:"replyTo,omitempty"`
	Callback string          `json:"bizOpaqueCallbackData,omitempty"`
	Content  json.RawMessage `json:"content"` // the part of the request named by type
}

// phoneOf finds or makes the state of a pair; the caller holds mu.
func (s *Simulator) phoneOf(account, number string) *phone {
	k := phoneKey{account, number}
	p := s.phones[k]
	if p == nil {
		if len(s.phones) >= s.opt.MaxPhones {
			delete(s.phones, s.phoneAge[0])
			delete(s.sentTo, s.phoneAge[0].phone)
			s.phoneAge = s.phoneAge[1:]
		}
		p = &phone{}
		s.phones[k] = p
		s.phoneAge = append(s.phoneAge, k)
	}
	return p
}

// deliver shows a message on the phone; the caller holds mu.
func (s *Simulator) deliver(p *phone, r Received) {
	if len(p.inbox) >= s.opt.RingSize {
		p.inbox = append(p.inbox[:0], p.inbox[1:]...)
	}
	p.inbox = append(p.inbox, r)
}

// Inbox returns what the phone received from all numbers, oldest first, as far
// as its ring reaches back.
func (s *Simulator) Inbox(to string) ([]Received, error) {
	number, ok := person(to)
	if !ok {
		return nil, fault.Field("to", "to must be a phone number in international form")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Received{}
	for _, id := range s.order {
		p := s.phones[phoneKey{id, number}]
		if p == nil {
			continue
		}
		// Each ring is in order already: merge the two.
		merged := make([]Received, 0, len(all)+len(p.inbox))
		i := 0
		for _, r := range p.inbox {
			for i < len(all) && !all[i].At.After(r.At) {
				merged = append(merged, all[i])
				i++
			}
			merged = append(merged, r)
		}
		all = append(merged, all[i:]...)
	}
	return all, nil
}
