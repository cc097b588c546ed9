package interaction

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// few is how many contacts, or conversations, are read one by one: beyond that
// they are common enough for a walk over everybody's to meet them soon.
var few = 500

// perStatement bounds the branches of one statement, below SQLite's 500.
const perStatement = 100

// Plans, cheapest first for what they are chosen for:
//
//   - a contact, or a group with few of them: along message_by_conversation of each
//     conversation (conversation_by_contact), activity_by_contact, note_by_contact;
//   - a way that few conversations have: along message_by_conversation of each
//     (conversation_channel);
//   - the whole tree: along message_recent, note_recent and, for each type of
//     activity, activity_interaction, without looking at anything else;
//   - the rest: bounded stretches of the same indexes, joined to the work of each
//     contact by primary keys. A way whose conversations are quiet since long
//     begins behind the last of their messages.

// ofContacts is the first plan.
func (s *Service) ofContacts(r store.Reader, people []id.ID, vias []string) ([]*stream, error) {
	var out []*stream
	convs, err := conversationsOf(r, people, vias)
	if err != nil {
		return nil, err
	}
	out = append(out, messagesOf(convs)...)
	kinds := types(vias)
	names := make([]any, len(kinds))
	for i, v := range kinds {
		names[i] = v
	}
	for part := range slices.Chunk(people, perStatement) {
		var acts, notes []branch
		for _, cid := range part {
			if len(kinds) > 0 {
				acts = append(acts, branch{"contact_id=? AND type IN (?" + strings.Repeat(",?", len(names)-1) + ") AND ", append([]any{cid}, names...)})
			}
			notes = append(notes, branch{"contact_id=? AND ", []any{cid}})
		}
		if len(acts) > 0 {
			out = append(out, direct("activity", acts))
		}
		if wants(vias, Other) {
			out = append(out, direct("note", notes))
		}
	}
	return out, nil
}

func wants(vias []string, via string) bool { return len(vias) == 0 || slices.Contains(vias, via) }

func messagesOf(convs []id.ID) (out []*stream) {
	for part := range slices.Chunk(convs, perStatement) {
		var each []branch
		for _, c := range part {
			each = append(each, branch{"conversation_id=? AND ", []any{c}})
		}
		out = append(out, direct("message", each))
	}
	return out
}

// channelWhere narrows conversations c to the ways that are asked for; none is
// false when no channel is one of them.
func channelWhere(vias []string) (where string, args []any, some bool) {
	if len(vias) == 0 {
		return "", nil, true
	}
	named, others := channelsOf(vias)
	marks := func(list []string) string {
		for _, v := range list {
			args = append(args, v)
		}
		return "(?" + strings.Repeat(",?", len(list)-1) + ")"
	}
	switch {
	case others && len(named) > 0:
		where = " AND (c.channel IN " + marks(named) + " OR c.channel NOT IN " + marks(namedChannels) + ")"
	case others:
		where = " AND c.channel NOT IN " + marks(namedChannels)
	case len(named) > 0:
		where = " AND c.channel IN " + marks(named)
	default:
		return "", nil, false
	}
	return where, args, true
}

func scanID(rows *sql.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }

func conversationsOf(r store.Reader, people []id.ID, vias []string) ([]id.ID, error) {
	where, wArgs, some := channelWhere(vias)
	if !some {
		return nil, nil
	}
	var out []id.ID
	for part := range slices.Chunk(people, perStatement) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT c.id FROM conversation c WHERE c.tenant_id=? AND c.contact_id IN "+in+where, append(args, wArgs...)...)
		list, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// scoped says whom a list is about: everybody, the people of groups, or, when
// these are few, people by name.
type scoped struct {
	all    bool
	groups []id.ID
	people []id.ID // not nil: they alone
}

func (s *Service) scopeOf(r store.Reader, f Filter) (scoped, error) {
	if f.Scope.IsZero() {
		return scoped{all: true}, nil
	}
	g, err := s.agents.Group(r, f.Scope)
	if fault.As(err) != nil {
		return scoped{people: []id.ID{}}, nil
	}
	if err != nil || g.Root() && g.DeletedAt.IsZero() {
		return scoped{all: true}, err
	}
	out := scoped{people: []id.ID{}}
	if out.groups, err = s.agents.Subtree(r, f.Scope); err != nil || len(out.groups) == 0 {
		return out, err
	}
	in, args := contact.Among(out.groups)
	// Along handover_group, no further than needed to see that they are not few.
	rows, err := r.Query("SELECT contact_id FROM handover WHERE tenant_id=? AND group_id IN "+in+" LIMIT ?", append(args, few+1)...)
	list, err := store.Collect(rows, err, scanID)
	if len(list) <= few {
		out.people = append(out.people, list...)
	} else {
		out.people = nil
	}
	return out, err
}

// sieve lets through rows whose contact, named by a column, lies in the groups.
func (c scoped) sieve(column string) (sieve, bool) {
	if c.all {
		return sieve{}, false
	}
	in, args := contact.Among(c.groups)
	return sieve{"CROSS JOIN handover h", " AND h.tenant_id=t.tenant_id AND h.contact_id=" + column + " AND h.group_id IN " + in, args}, true
}

// streams makes the plan of a list.
func (s *Service) streams(r store.Reader, f Filter, where span) ([]*stream, error) {
	c, err := s.scopeOf(r, f)
	if err != nil {
		return nil, err
	}
	if c.people != nil {
		if len(c.people) == 0 {
			return nil, nil
		}
		return s.ofContacts(r, c.people, f.Via)
	}
	out, err := s.messages(r, c, f.Via, where)
	if err != nil {
		return nil, err
	}
	// The walk over a type begins with an equality, so that each is in order.
	kinds := types(f.Via)
	each := make([]branch, len(kinds))
	for i, k := range kinds {
		each[i] = branch{"type=? AND type IN (" + typeList + ") AND ", []any{k}}
	}
	if keep, narrow := c.sieve("t.contact_id"); !narrow {
		if len(each) > 0 {
			out = append(out, direct("activity", each))
		}
	} else {
		for _, b := range each {
			out = append(out, walk("activity", b, keep))
		}
	}
	if !wants(f.Via, Other) {
		return out, nil
	}
	if keep, narrow := c.sieve("t.contact_id"); narrow {
		return append(out, walk("note", branch{}, keep)), nil
	}
	return append(out, direct("note", []branch{{}})), nil
}

// messages plans the messages of a list.
func (s *Service) messages(r store.Reader, c scoped, vias []string, where span) ([]*stream, error) {
	cond, args, some := channelWhere(vias)
	if !some {
		return nil, nil
	}
	keep, narrow := c.sieve("c.contact_id")
	if cond == "" && !narrow {
		return []*stream{direct("message", []branch{{}})}, nil
	}
	var ends place
	if cond != "" {
		convs, latest, err := s.ofChannels(r, vias)
		if err != nil {
			return nil, err
		}
		if convs != nil {
			if convs, err = seen(r, convs, c); err != nil || len(convs) == 0 {
				return nil, err
			}
			return messagesOf(convs), nil
		}
		ends = place{latest.UnixMilli() + 1, ""}
	}
	keep.join = "CROSS JOIN conversation c " + keep.join
	keep.where = " AND c.tenant_id=t.tenant_id AND c.id=t.conversation_id" + cond + keep.where
	keep.args = append(args, keep.args...)
	st := walk("message", branch{}, keep)
	if ends.at > 0 && ends.less(where.high) {
		st.left.high = ends
	}
	return []*stream{st}, nil
}

// ofChannels returns the conversations of ways when they are few, else the moment
// of their last message, both along conversation_channel.
func (s *Service) ofChannels(r store.Reader, vias []string) (convs []id.ID, latest time.Time, err error) {
	named, others := channelsOf(vias)
	if others {
		rows, err := r.Query("SELECT DISTINCT channel FROM conversation WHERE tenant_id=?")
		list, err := store.Collect(rows, err, func(rows *sql.Rows) (v string, err error) { return v, rows.Scan(&v) })
		if err != nil {
			return nil, latest, err
		}
		for _, v := range list {
			if !slices.Contains(namedChannels, v) {
				named = append(named, v)
			}
		}
	}
	convs = []id.ID{}
	many := false
	for _, kind := range named {
		rows, err := r.Query("SELECT id FROM conversation WHERE tenant_id=? AND channel=? LIMIT ?", kind, few+1)
		list, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, latest, err
		}
		convs = append(convs, list...)
		var at time.Time
		if err := r.QueryRow("SELECT MAX(last_message_at) FROM conversation WHERE tenant_id=? AND channel=?", kind).Scan(store.Time(&at)); err != nil {
			return nil, latest, err
		}
		if at.After(latest) {
			latest = at
		}
		many = many || len(convs) > few
	}
	if many {
		return nil, latest, nil
	}
	return convs, latest, nil
}

// seen leaves out conversations with contacts outside a scope.
func seen(r store.Reader, convs []id.ID, c scoped) ([]id.ID, error) {
	if c.all {
		return convs, nil
	}
	groups, gArgs := contact.Among(c.groups)
	var out []id.ID
	for part := range slices.Chunk(convs, perStatement) {
		in, args := contact.Among(part)
		rows, err := r.Query("SELECT c.id FROM conversation c JOIN handover h ON h.tenant_id=c.tenant_id AND h.contact_id=c.contact_id WHERE c.tenant_id=? AND c.id IN "+in+
			" AND h.group_id IN "+groups, append(args, gArgs...)...)
		list, err := store.Collect(rows, err, scanID)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}
