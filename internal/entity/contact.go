package entity

import (
	"parley/internal/contact"
)

// primary is the value of a contact's primary identity of a kind. A phone is shown
// with a plus: its key begins with the country.
func primary(kind, shown string) string {
	return "(SELECT " + shown + " FROM identity WHERE identity.tenant_id=contact.tenant_id AND identity.contact_id=contact.id AND identity.kind='" + kind +
		"' AND identity.is_primary ORDER BY identity.value LIMIT 1)"
}

// identities are all of a kind.
func identities(kind string) string {
	return "identity i WHERE i.tenant_id=contact.tenant_id AND i.contact_id=contact.id AND i.kind='" + kind + "'"
}

// known looks up who has an identity, claimed or not.
func known(kind string) string {
	from := "SELECT contact_id FROM identity WHERE tenant_id=?1 AND kind='" + kind + "' AND value=?2 AND "
	return from + "claimed UNION ALL " + from + "NOT claimed LIMIT ?3"
}

// working looks up the contacts whose work has a value.
func working(column string) string {
	where := column + "=?"
	if column == "label" {
		where += " AND label <> ''" // as its index says
	}
	return "SELECT contact_id FROM handover WHERE tenant_id=? AND " + where + " LIMIT ?"
}

var (
	phoneSQL = primary(contact.Phone, "'+' || identity.value")
	emailSQL = primary(contact.Email, "identity.value")
	titleSQL = "COALESCE(NULLIF(TRIM(contact.first_name || ' ' || contact.last_name), ''), " + phoneSQL + ", " + emailSQL + ", '')"
)

// people is the schema contact (targeting reference §5.2): the person, the work on
// it, and its primary deal. An empty text counts as none. Names of groups, agents,
// stages and pipelines are those of today.
var people = (table{
	name:   "contact",
	live:   "contact.erased_at IS NULL",
	title:  titleSQL,
	owner:  "NULL",
	lists:  personal,
	orders: map[string]string{"_created_at": "contact.created_at", "_updated_at": "contact.updated_at"},
	joins: []join{
		{"handover", "handover ON handover.tenant_id=contact.tenant_id AND handover.contact_id=contact.id"},
		{"agent_group", "agent_group ON agent_group.tenant_id=contact.tenant_id AND agent_group.id=handover.group_id"},
		{"agent", "agent ON agent.tenant_id=contact.tenant_id AND agent.id=handover.agent_id"},
		{"deal", "deal ON deal.tenant_id=contact.tenant_id AND deal.contact_id=contact.id AND deal.is_primary"},
		{"stage", "stage ON stage.tenant_id=contact.tenant_id AND stage.id=deal.stage_id"},
		{"pipeline", "pipeline ON pipeline.tenant_id=contact.tenant_id AND pipeline.id=deal.pipeline_id"},
	},
	fields: []field{
		{name: "_id", kind: ident, sql: "contact.id"},
		// No constant: PostgreSQL would evaluate a condition on it while it plans, also
		// in branches that never run.
		{name: "_schema", kind: text, sql: "SUBSTR('contact' || contact.id, 1, 7)"},
		{name: "_title", kind: text, sql: titleSQL},
		{name: "_created_at", kind: at, sql: "contact.created_at"},
		{name: "_updated_at", kind: at, sql: "contact.updated_at"},
		{name: "_tags", kind: list, sql: "t.tag", from: "contact_tag t WHERE t.tenant_id=contact.tenant_id AND t.contact_id=contact.id", probe: "SELECT contact_id FROM contact_tag WHERE tenant_id=? AND tag=? LIMIT ?"},
		{name: "_org", kind: fixed},
		{name: "_owners", kind: fixed},
		{name: "_acl", kind: fixed},

		{name: "first_name", kind: text, sql: "NULLIF(contact.first_name, '')", bare: "contact.first_name"},
		{name: "last_name", kind: text, sql: "NULLIF(contact.last_name, '')", bare: "contact.last_name"},
		{name: "phone", kind: text, sql: phoneSQL, probe: known(contact.Phone), trim: "+"},
		{name: "email", kind: text, sql: emailSQL, probe: known(contact.Email)},
		{name: "phones", kind: list, sql: "('+' || i.value)", from: identities(contact.Phone), probe: known(contact.Phone), trim: "+"},
		{name: "emails", kind: list, sql: "i.value", from: identities(contact.Email), probe: known(contact.Email)},
		{name: "source", kind: text, sql: "NULLIF(contact.source, '')", bare: "contact.source", probe: "SELECT id FROM contact WHERE tenant_id=? AND source=? LIMIT ?"},
		{name: "score", kind: whole, sql: "contact.score"},
		{name: "archived", kind: yes, sql: "(contact.archived_at IS NOT NULL)"},
		{name: "last_contacted_at", kind: at, sql: "contact.last_contacted_at"},

		{name: "status", kind: text, sql: "handover.status", probe: working("status")},
		{name: "label", kind: text, sql: "NULLIF(handover.label, '')", bare: "handover.label", probe: working("label")},
		{name: "category", kind: text, sql: "NULLIF(handover.category, '')", bare: "handover.category", probe: working("category")},
		{name: "group", kind: text, sql: "COALESCE(NULLIF(agent_group.display_name, ''), agent_group.name)"},
		{name: "group_id", kind: ident, sql: "handover.group_id", probe: working("group_id")},
		{name: "agent", kind: text, sql: "NULLIF(TRIM(agent.first_name || ' ' || agent.last_name), '')"},
		{name: "agent_id", kind: ident, sql: "handover.agent_id", probe: working("agent_id")},

		{name: "stage", kind: text, sql: "stage.name"},
		{name: "pipeline", kind: text, sql: "pipeline.name"},
		{name: "value", kind: real, sql: "deal.value"},

		{name: "additional", kind: open, sql: "contact.attributes"},
	},
}).ready()
