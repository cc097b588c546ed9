package chaos

import "sync"

// journal is what clients were told: only 2xx answers are written into it.
type journal struct {
	mu       sync.Mutex
	leads    map[string]string             // phone -> lead id
	people   map[string]string             // phone of an upserted person -> lead id
	marks    map[string]map[string]float64 // person -> writer -> last acknowledged number
	fired    map[string]firing             // token -> the answer
	sends    map[string]string             // token -> message id
	inbound  map[string]string             // wamid -> text
	answered map[string]string             // token of a trigger whose person answered -> wamid
	opened   map[string]bool               // strangers whose message was accepted
	tried    map[string]bool               // tokens of triggers and sends ever tried
	phones   map[string]bool               // to which messages were to go
	// inquiries are the leads of the sales API: mark -> buyer.
	inquiries map[string]int
	joined    map[int]bool // buyers of whom a lead with phone and e-mail was acknowledged
	wrong     []string     // answers that must not happen
	retries   int          // calls that needed more than one try
	replays   int          // of them, answered from the record
	upserts   int
}

// firing is an acknowledged trigger call.
type firing struct {
	n                int
	log, lead, phone string
	callback         bool
}

func newJournal() *journal {
	return &journal{leads: map[string]string{}, people: map[string]string{}, marks: map[string]map[string]float64{}, fired: map[string]firing{},
		sends: map[string]string{}, inbound: map[string]string{}, answered: map[string]string{}, tried: map[string]bool{}, opened: map[string]bool{}, phones: map[string]bool{}, inquiries: map[string]int{}, joined: map[int]bool{}}
}

// note writes under the lock.
func (j *journal) note(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// facts is the number of acknowledged facts.
func (j *journal) facts() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.leads) + j.upserts + len(j.fired) + len(j.sends) + len(j.inbound) + len(j.inquiries)
}

// copied is the journal as it is now, for what a backup must hold.
func (j *journal) copied() *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := newJournal()
	c.upserts = j.upserts
	for k, v := range j.leads {
		c.leads[k] = v
	}
	for k, v := range j.people {
		c.people[k] = v
	}
	for k, v := range j.marks {
		c.marks[k] = map[string]float64{}
		for w, n := range v {
			c.marks[k][w] = n
		}
	}
	for k, v := range j.fired {
		c.fired[k] = v
	}
	for k, v := range j.sends {
		c.sends[k] = v
	}
	for k, v := range j.inbound {
		c.inbound[k] = v
	}
	for k, v := range j.inquiries {
		c.inquiries[k] = v
	}
	for k, v := range j.joined {
		c.joined[k] = v
	}
	return c
}
