package verify

// Invariants is the published list, in the order of docs/guarantees.md. The
// guarantees test keeps the two in step.
var Invariants = []Invariant{
	{"identity-owner", "Every identity belongs to a contact that exists.",
		`SELECT i.tenant_id, i.kind || ':' || i.contact_id, 'no such contact' FROM identity i
		LEFT JOIN contact c ON c.tenant_id=i.tenant_id AND c.id=i.contact_id WHERE c.id IS NULL`},
	{"identity-claim", "A claimed identity belongs to one contact of its tenant.",
		`SELECT tenant_id, MIN(contact_id), 'claimed by ' || COUNT(*) || ' contacts' FROM identity WHERE claimed GROUP BY tenant_id, kind, value HAVING COUNT(*) > 1`},
	{"identity-primary", "A contact has one primary identity of each kind it has.",
		`SELECT tenant_id, contact_id, kind FROM identity GROUP BY tenant_id, contact_id, kind HAVING SUM(CASE WHEN is_primary THEN 1 ELSE 0 END) <> 1`},
	{"contact-tenant", "Every contact belongs to a tenant that exists.",
		`SELECT c.tenant_id, c.id, 'no such tenant' FROM contact c LEFT JOIN tenant t ON t.tenant_id=c.tenant_id WHERE t.tenant_id IS NULL`},
	{"contact-event", "Every contact has the event of its creation in the feed.",
		`SELECT tenant_id, id, 'no contact.created' FROM (SELECT tenant_id, id FROM contact
		EXCEPT SELECT tenant_id, subject FROM event WHERE type='contact.created') x`},
	{"tag-owner", "Every tag is on a contact that exists.",
		`SELECT x.tenant_id, x.contact_id, 'no such contact' FROM contact_tag x
		LEFT JOIN contact c ON c.tenant_id=x.tenant_id AND c.id=x.contact_id WHERE c.id IS NULL`},
	{"activity-owner", "Every timeline entry belongs to a contact that exists.",
		`SELECT a.tenant_id, a.id, 'no such contact' FROM activity a
		LEFT JOIN contact c ON c.tenant_id=a.tenant_id AND c.id=a.contact_id WHERE c.id IS NULL`},
	{"pipeline-default", "A tenant with pipelines has one default, and each pipeline with stages one default stage.",
		`SELECT tenant_id, MIN(id), 'default pipelines: ' || SUM(CASE WHEN is_default THEN 1 ELSE 0 END) FROM pipeline
		GROUP BY tenant_id HAVING SUM(CASE WHEN is_default THEN 1 ELSE 0 END) <> 1
		UNION ALL SELECT tenant_id, pipeline_id, 'default stages: ' || SUM(CASE WHEN is_default THEN 1 ELSE 0 END) FROM stage
		GROUP BY tenant_id, pipeline_id HAVING SUM(CASE WHEN is_default THEN 1 ELSE 0 END) <> 1`},
	{"deal-place", "Every deal has a contact, and stands in a stage of its pipeline.",
		`SELECT d.tenant_id, d.id, CASE WHEN c.id IS NULL THEN 'no such contact' ELSE 'no such stage in its pipeline' END FROM deal d
		LEFT JOIN contact c ON c.tenant_id=d.tenant_id AND c.id=d.contact_id
		LEFT JOIN stage s ON s.tenant_id=d.tenant_id AND s.id=d.stage_id AND s.pipeline_id=d.pipeline_id WHERE c.id IS NULL OR s.id IS NULL`},
	{"deal-primary", "A contact with deals has one primary deal.",
		`SELECT tenant_id, contact_id, 'primary deals: ' || SUM(CASE WHEN is_primary THEN 1 ELSE 0 END) FROM deal
		GROUP BY tenant_id, contact_id HAVING SUM(CASE WHEN is_primary THEN 1 ELSE 0 END) <> 1`},
	{"deal-history", "A deal's history ends, open, in the stage where it stands.",
		`SELECT d.tenant_id, d.id, 'open spans: ' || COUNT(h.deal_id) FROM deal d
		LEFT JOIN deal_stage h ON h.tenant_id=d.tenant_id AND h.deal_id=d.id AND h.left_at IS NULL
		GROUP BY d.tenant_id, d.id, d.stage_id HAVING COUNT(h.deal_id) <> 1 OR MAX(h.stage_id) <> d.stage_id`},
	{"conversation-contact", "A conversation's contact exists.",
		`SELECT v.tenant_id, v.id, 'no such contact' FROM conversation v
		LEFT JOIN contact c ON c.tenant_id=v.tenant_id AND c.id=v.contact_id WHERE v.contact_id IS NOT NULL AND c.id IS NULL`},
	{"message-conversation", "Every message belongs to a conversation that exists.",
		`SELECT m.tenant_id, m.id, 'no such conversation' FROM message m
		LEFT JOIN conversation v ON v.tenant_id=m.tenant_id AND v.id=m.conversation_id WHERE v.id IS NULL`},
	{"conversation-count", "A conversation counts its messages rightly and names one of them as its last.",
		`SELECT v.tenant_id, v.id, 'says ' || v.messages || ', has ' || COUNT(m.id) FROM conversation v
		LEFT JOIN message m ON m.tenant_id=v.tenant_id AND m.conversation_id=v.id
		GROUP BY v.tenant_id, v.id, v.messages, v.last_message_id
		HAVING v.messages <> COUNT(m.id) OR (COUNT(m.id) > 0 AND SUM(CASE WHEN m.id=v.last_message_id THEN 1 ELSE 0 END) <> 1)`},
	{"message-once", "A provider's message is stored once.",
		`SELECT tenant_id, MIN(id), provider_id FROM message WHERE provider_id IS NOT NULL GROUP BY tenant_id, provider_id HAVING COUNT(*) > 1`},
	{"message-event", "Every message has the event of its arrival in the feed.",
		`SELECT tenant_id, id, 'no ' || type FROM (SELECT tenant_id, id, CASE direction WHEN 'inbound' THEN 'message.received' ELSE 'message.queued' END AS type FROM message
		EXCEPT SELECT tenant_id, subject, type FROM event WHERE type IN ('message.received','message.queued')) x`},
	{"outgoing-accountable", "Every outgoing message has one outbox row, and the two agree on where it stands.",
		`SELECT m.tenant_id, m.id, 'message ' || m.status || ', outbox ' || COALESCE(o.state, 'missing') FROM message m
		LEFT JOIN outbox o ON o.tenant_id=m.tenant_id AND o.id=m.id WHERE m.direction='outbound' AND NOT COALESCE(
		(o.state IN ('queued','sending','unknown') AND m.status='queued')
		OR (o.state='sent' AND m.status IN ('sent','delivered','read'))
		OR (o.state IN ('failed','cancelled') AND m.status='failed'), FALSE)`},
	{"outbox-message", "Every outbox row has its message.",
		`SELECT o.tenant_id, o.id, 'no such message' FROM outbox o
		LEFT JOIN message m ON m.tenant_id=o.tenant_id AND m.id=o.id WHERE m.id IS NULL`},
	{"outbox-intent", "A message is sent only under a durable intent: a row that was tried has an attempt, a row being tried a lease.",
		`SELECT tenant_id, id, state FROM outbox WHERE (state IN ('sending','sent','unknown') AND attempt < 1) OR (state='sending' AND lease_until IS NULL)`},
	{"run-version", "Every run walks a version of a rule that was kept, for a contact that exists.",
		`SELECT r.tenant_id, r.id, CASE WHEN v.version IS NULL THEN 'no such version' ELSE 'no such contact' END FROM run r
		LEFT JOIN automation_version v ON v.tenant_id=r.tenant_id AND v.automation_id=r.automation_id AND v.version=r.version
		LEFT JOIN contact c ON c.tenant_id=r.tenant_id AND c.id=r.contact_id WHERE v.version IS NULL OR c.id IS NULL`},
	{"run-cause", "One cause starts a rule once.",
		`SELECT tenant_id, MIN(id), cause FROM run GROUP BY tenant_id, automation_id, cause HAVING COUNT(*) > 1`},
	{"run-awake", "Every branch of a run that has not ended has what will wake it: an unfinished job, or a reply it waits for; an ended run has none.",
		`SELECT b.tenant_id, b.run_id, 'nothing wakes the branch at ' || b.node FROM run_branch b
		WHERE (b.wait_key IS NULL OR b.resume_at IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM job j WHERE j.tenant_id=b.tenant_id
			AND j.kind='automation.step' AND j.unique_key='run:' || b.run_id || ':' || b.turn AND j.state IN ('available','scheduled','running','retryable'))
		UNION ALL SELECT r.tenant_id, r.id, r.status || ' without a branch' FROM run r WHERE r.status IN ('running','waiting')
		AND NOT EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id)
		UNION ALL SELECT r.tenant_id, r.id, r.status || ' with a branch' FROM run r WHERE r.status NOT IN ('running','waiting','paused')
		AND EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id)`},
	{"rule-runs", "A rule counts its open runs rightly.",
		`SELECT a.tenant_id, a.id, 'says ' || a.runs_open || ', has ' || COUNT(r.id) FROM automation a
		LEFT JOIN run r ON r.tenant_id=a.tenant_id AND r.automation_id=a.id AND r.status IN ('running','waiting','paused')
		GROUP BY a.tenant_id, a.id, a.runs_open HAVING a.runs_open <> COUNT(r.id)`},
	{"run-steps", "A run counts its steps rightly.",
		`SELECT r.tenant_id, r.id, 'says ' || r.steps || ', has ' || COUNT(s.run_id) FROM run r
		LEFT JOIN run_step s ON s.tenant_id=r.tenant_id AND s.run_id=r.id GROUP BY r.tenant_id, r.id, r.steps HAVING r.steps <> COUNT(s.run_id)`},
	{"trigger-runs", "A trigger call counts its open runs rightly, and has ended when they have.",
		`SELECT t.tenant_id, t.id, t.status || ' with ' || t.runs_open || ' open runs, has ' || COUNT(r.id) FROM trigger_log t
		LEFT JOIN run r ON r.tenant_id=t.tenant_id AND r.trigger_id=t.id AND r.status IN ('running','waiting','paused')
		GROUP BY t.tenant_id, t.id, t.status, t.runs_open HAVING t.runs_open <> COUNT(r.id) OR (t.status='processing') <> (COUNT(r.id) > 0)`},
	{"webhook-intent", "A webhook is sent only under a durable intent, and its row says how it ended.",
		`SELECT tenant_id, id, state FROM webhook_delivery WHERE state NOT IN ('pending','sending','sent','failed')
		OR (state='sending' AND (lease_until IS NULL OR attempt < 1)) OR (state='sent' AND attempt < 1)`},
	{"job-lease", "A running job has a lease, a finished one an end, and no other job either.",
		`SELECT tenant_id, id, state FROM job WHERE (state='running') <> (lease_until IS NOT NULL)
		OR (state IN ('completed','cancelled','discarded')) <> (finished_at IS NOT NULL)`},
	{"key-tenant", "Every key and every secret belongs to a tenant that exists.",
		`SELECT k.tenant_id, k.id, 'no such tenant' FROM access_key k LEFT JOIN tenant t ON t.tenant_id=k.tenant_id WHERE t.tenant_id IS NULL
		UNION ALL SELECT s.tenant_id, s.name, 'no such tenant' FROM tenant_secret s LEFT JOIN tenant t ON t.tenant_id=s.tenant_id WHERE t.tenant_id IS NULL`},
}
