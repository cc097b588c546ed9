package contact

import (
	"parley/internal/id"
	"parley/internal/store"
)

// consentShift tells how one consent of the merged contact was put on the
// survivor's: its rows of the log went behind the survivor's first Shift.
type consentShift struct {
	Channel, Purpose string
	Shift            int // where the survivor's log ended
	Top              int // where the merged contact's log ended
}

func find(list []consentRow, channel, purpose string) consentRow {
	for _, c := range list {
		if c.Channel == channel && c.Purpose == purpose {
			return c
		}
	}
	return consentRow{}
}

// same reports whether two consents say the same.
func (c consentRow) same(d consentRow) bool {
	return c.State == d.State && c.Source == d.Source && c.At.Equal(d.At)
}

// moveConsents gives the merged contact's consents and their log to the survivor.
// Where both said something, a refusal stands, else what was said last, and the
// log tells it as a change of the merge.
func (s *Service) moveConsents(tx *store.Tx, m Merge, own, others []consentRow) ([]consentShift, error) {
	var out []consentShift
	for _, c := range others {
		mine := find(own, c.Channel, c.Purpose)
		shift := consentShift{c.Channel, c.Purpose, mine.Position, c.Position}
		out = append(out, shift)
		if err := moveLog(tx, shift, m.Merged, m.Survivor, 0, shift.Top, shift.Shift); err != nil {
			return nil, err
		}
		if _, err := tx.Exec("DELETE FROM contact_consent WHERE tenant_id=? AND contact_id=? AND channel=? AND purpose=?", m.Merged, c.Channel, c.Purpose); err != nil {
			return nil, err
		}
		if mine.State == "" {
			if err := putConsent(tx, m.Survivor, c); err != nil {
				return nil, err
			}
			continue
		}
		stands := mine
		switch {
		case mine.State == c.State:
			if c.At.After(mine.At) {
				stands = c
			}
		case c.State == Out:
			stands = c
		}
		if mine.At.After(stands.At) {
			stands.At = mine.At // whoever said something after either, said it after both
		}
		if c.At.After(stands.At) {
			stands.At = c.At
		}
		stands.Actor = m.Actor
		if err := s.say(tx, m.Survivor, stands, shift.Shift+shift.Top); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// moveLog moves the rows of a log behind after, up to and including upTo, to
// another contact, by a number of places.
func moveLog(tx *store.Tx, c consentShift, from, to id.ID, after, upTo, by int) error {
	_, err := tx.Exec("UPDATE consent_log SET contact_id=?, position=position+? WHERE tenant_id=? AND contact_id=? AND channel=? AND purpose=? AND position>? AND position<=?",
		to, by, from, c.Channel, c.Purpose, after, upTo)
	return err
}

// returnConsents takes moveConsents back. What the survivor said since stays with
// it; but a refusal since then holds for both, since nobody knows whom of the two
// it was meant for.
func (s *Service) returnConsents(tx *store.Tx, m Merge, shifts []consentShift, before, other, after []consentRow) error {
	now, err := consentRows(tx, m.Survivor)
	if err != nil {
		return err
	}
	for _, shift := range shifts {
		theirs := find(other, shift.Channel, shift.Purpose)
		is, was := find(now, shift.Channel, shift.Purpose), find(before, shift.Channel, shift.Purpose)
		changed := !is.same(find(after, shift.Channel, shift.Purpose))
		if was.State == "" && !changed {
			// The whole log is theirs, with what merges that were taken back have
			// added to it since: a log never stays behind without its consent.
			shift.Top, theirs.Position = is.Position-shift.Shift, is.Position-shift.Shift
		}
		if err := moveLog(tx, shift, m.Survivor, m.Merged, shift.Shift, shift.Shift+shift.Top, -shift.Shift); err != nil {
			return err
		}
		if err := putConsent(tx, m.Merged, theirs); err != nil {
			return err
		}
		switch {
		case changed:
		case was.State == "":
			if _, err := tx.Exec("DELETE FROM contact_consent WHERE tenant_id=? AND contact_id=? AND channel=? AND purpose=?", m.Survivor, shift.Channel, shift.Purpose); err != nil {
				return err
			}
		case !is.same(was):
			was.Actor = m.Actor
			if err := s.say(tx, m.Survivor, was, is.Position); err != nil {
				return err
			}
		}
	}
	for _, c := range now {
		if c.State != Out || c.same(find(after, c.Channel, c.Purpose)) {
			continue
		}
		theirs := find(other, c.Channel, c.Purpose)
		if theirs.State == Out {
			continue
		}
		c.Actor = m.Actor
		if err := s.say(tx, m.Merged, c, theirs.Position); err != nil {
			return err
		}
	}
	return nil
}
