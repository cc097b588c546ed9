package verify

// remembered holds for rows whose events cannot have been pruned from the feed. A
// day is left for clocks of providers that are ahead of ours.
const remembered = "created_at > COALESCE((SELECT CAST(value AS BIGINT) + 86400000 FROM installation WHERE name='event.pruned_until'), 0)"

// groupPlaces are the places in the tree that the parents of the groups lead to.
const groupPlaces = `SELECT tenant_id, id AS ancestor_id, id AS group_id, 0 AS depth FROM agent_group WHERE deleted_at IS NULL
		UNION ALL SELECT g.tenant_id, p.ancestor_id, g.id, p.depth+1 FROM agent_group g
		JOIN agent_group_path p ON p.tenant_id=g.tenant_id AND p.group_id=g.parent_id WHERE g.deleted_at IS NULL`

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
		`SELECT tenant_id, id, 'no contact.created' FROM (SELECT tenant_id, id FROM contact WHERE ` + remembered + `
		EXCEPT SELECT tenant_id, subject FROM event WHERE type='contact.created') x`},
	{"tag-owner", "Every tag is on a contact that exists.",
		`SELECT x.tenant_id, x.contact_id, 'no such contact' FROM contact_tag x
		LEFT JOIN contact c ON c.tenant_id=x.tenant_id AND c.id=x.contact_id WHERE c.id IS NULL`},
	{"activity-owner", "Every timeline entry belongs to a contact that exists.",
		`SELECT a.tenant_id, a.id, 'no such contact' FROM activity a
		LEFT JOIN contact c ON c.tenant_id=a.tenant_id AND c.id=a.contact_id WHERE c.id IS NULL`},
	{"alias-flat", "The id of a merged contact leads to a contact that exists, in one step, and is none itself.",
		`SELECT a.tenant_id, a.old_id, CASE WHEN c.id IS NULL THEN 'leads to no contact' ELSE 'is a contact itself' END FROM contact_alias a
		LEFT JOIN contact c ON c.tenant_id=a.tenant_id AND c.id=a.contact_id
		LEFT JOIN contact o ON o.tenant_id=a.tenant_id AND o.id=a.old_id WHERE c.id IS NULL OR o.id IS NOT NULL`},
	{"merge-alias", "Every merge that was not taken back has made its contact's id lead on.",
		`SELECT m.tenant_id, m.id, 'no alias of ' || m.merged_id FROM contact_merge m
		LEFT JOIN contact_alias a ON a.tenant_id=m.tenant_id AND a.old_id=m.merged_id WHERE m.undone_at IS NULL AND a.old_id IS NULL`},
	{"consent-log", "A contact's consent is what its log says last, and no log is without its consent.",
		`SELECT x.tenant_id, x.contact_id, x.channel || ' ' || x.purpose FROM contact_consent x
		LEFT JOIN consent_log l ON l.tenant_id=x.tenant_id AND l.contact_id=x.contact_id AND l.channel=x.channel AND l.purpose=x.purpose
		AND l.position=(SELECT MAX(n.position) FROM consent_log n WHERE n.tenant_id=x.tenant_id AND n.contact_id=x.contact_id AND n.channel=x.channel AND n.purpose=x.purpose)
		WHERE l.state IS NULL OR l.state <> x.state OR l.at <> x.at OR l.position <> x.position
		UNION ALL SELECT DISTINCT l.tenant_id, l.contact_id, 'a log without a consent: ' || l.channel || ' ' || l.purpose FROM consent_log l
		LEFT JOIN contact_consent x ON x.tenant_id=l.tenant_id AND x.contact_id=l.contact_id AND x.channel=l.channel AND x.purpose=l.purpose WHERE x.state IS NULL`},
	{"contact-child", "Every note, inquiry, consent, and place in the index of words, references and attributes belongs to a contact that exists.",
		`SELECT x.tenant_id, x.id, 'no such contact' FROM (SELECT tenant_id, contact_id, 'note ' || id AS id FROM note
		UNION ALL SELECT tenant_id, contact_id, 'inquiry ' || id FROM inquiry
		UNION ALL SELECT tenant_id, contact_id, 'consent ' || contact_id FROM contact_consent
		UNION ALL SELECT tenant_id, contact_id, 'consent log ' || contact_id FROM consent_log
		UNION ALL SELECT tenant_id, contact_id, 'word ' || contact_id FROM contact_word
		UNION ALL SELECT tenant_id, contact_id, 'reference ' || contact_id FROM contact_ref
		UNION ALL SELECT tenant_id, contact_id, 'attribute ' || contact_id FROM contact_attribute) x
		LEFT JOIN contact c ON c.tenant_id=x.tenant_id AND c.id=x.contact_id WHERE c.id IS NULL`},
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
	{"stage-order", "The stages of a pipeline that exists count from 0 without a gap.",
		`SELECT s.tenant_id, s.pipeline_id, 'stages ' || COUNT(*) || ', last at ' || MAX(s.position) FROM stage s
		LEFT JOIN pipeline p ON p.tenant_id=s.tenant_id AND p.id=s.pipeline_id GROUP BY s.tenant_id, s.pipeline_id
		HAVING MIN(s.position) <> 0 OR MAX(s.position) <> COUNT(*)-1 OR COUNT(DISTINCT s.position) <> COUNT(*) OR COUNT(p.id) <> COUNT(*)`},
	{"deal-tally", "The tally of a stage counts its deals and adds up their values rightly.",
		`SELECT tenant_id, stage_id, status || ': off by ' || SUM(deals) || ' deals, ' || SUM(primaries) || ' primary, value ' || SUM(value) FROM (
		SELECT tenant_id, pipeline_id, stage_id, status, deals, primaries, CAST(whole AS DOUBLE PRECISION) + CAST(millionths AS DOUBLE PRECISION) / 1000000 AS value,
		0 AS bound FROM deal_tally
		UNION ALL SELECT tenant_id, pipeline_id, stage_id, status, -1, CASE WHEN is_primary THEN -1 ELSE 0 END, -value, value FROM deal) x
		GROUP BY tenant_id, pipeline_id, stage_id, status
		HAVING SUM(deals) <> 0 OR SUM(primaries) <> 0 OR ABS(SUM(value)) > 0.001 + SUM(bound) / 1000000000`},
	{"conversation-contact", "A conversation's contact exists.",
		`SELECT v.tenant_id, v.id, 'no such contact' FROM conversation v
		LEFT JOIN contact c ON c.tenant_id=v.tenant_id AND c.id=v.contact_id WHERE v.contact_id IS NOT NULL AND c.id IS NULL`},
	{"message-conversation", "Every message belongs to a conversation that exists, or to one of an erased person whose messages are being taken away.",
		`SELECT m.tenant_id, m.id, 'no such conversation' FROM message m
		LEFT JOIN conversation v ON v.tenant_id=m.tenant_id AND v.id=m.conversation_id WHERE v.id IS NULL
		AND NOT EXISTS (SELECT 1 FROM conversation_gone g WHERE g.tenant_id=m.tenant_id AND g.conversation_id=m.conversation_id)`},
	{"conversation-count", "A conversation counts its messages rightly and names one of them as its last.",
		`SELECT v.tenant_id, v.id, 'says ' || v.messages || ', has ' || COUNT(m.id) FROM conversation v
		LEFT JOIN message m ON m.tenant_id=v.tenant_id AND m.conversation_id=v.id
		GROUP BY v.tenant_id, v.id, v.messages, v.last_message_id
		HAVING v.messages <> COUNT(m.id) OR (COUNT(m.id) > 0 AND SUM(CASE WHEN m.id=v.last_message_id THEN 1 ELSE 0 END) <> 1)`},
	{"message-once", "A provider's message is stored once.",
		`SELECT tenant_id, MIN(id), provider_id FROM message WHERE provider_id IS NOT NULL GROUP BY tenant_id, provider_id HAVING COUNT(*) > 1`},
	{"message-event", "Every message has the event of its arrival in the feed.",
		`SELECT tenant_id, id, 'no ' || type FROM (SELECT tenant_id, id, CASE direction WHEN 'inbound' THEN 'message.received' ELSE 'message.queued' END AS type FROM message WHERE ` + remembered + `
		EXCEPT SELECT tenant_id, subject, type FROM event WHERE type IN ('message.received','message.queued')) x`},
	{"conversation-owner", "A conversation's owner is the newest entry of its history, whose versions have no gap; one that never moved is the bot's.",
		`SELECT v.tenant_id, v.id, 'is ' || v.owner_kind || ' ' || v.owner_agent || ' at version ' || v.owner_version || ' of ' || COUNT(l.version) FROM conversation v
		LEFT JOIN conversation_owner_log l ON l.tenant_id=v.tenant_id AND l.conversation_id=v.id
		GROUP BY v.tenant_id, v.id, v.owner_kind, v.owner_agent, v.owner_version
		HAVING v.owner_version <> COUNT(l.version) OR v.owner_version <> COALESCE(MAX(l.version), 0) OR (v.owner_kind='agent') <> (v.owner_agent<>'')
			OR (v.owner_version=0 AND v.owner_kind<>'bot')
			OR (v.owner_version>0 AND SUM(CASE WHEN l.version=v.owner_version AND l.kind=v.owner_kind AND l.agent=v.owner_agent THEN 1 ELSE 0 END) <> 1)
		UNION ALL SELECT l.tenant_id, l.conversation_id, 'version ' || l.version || ' does not begin where the one before ended' FROM conversation_owner_log l
		LEFT JOIN conversation_owner_log p ON p.tenant_id=l.tenant_id AND p.conversation_id=l.conversation_id AND p.version=l.version-1
		WHERE l.version>1 AND (p.version IS NULL OR p.kind<>l.from_kind OR p.agent<>l.from_agent)`},
	{"media-complete", "A file that is ready has every chunk and every byte of it, and every chunk belongs to a file.",
		`SELECT f.tenant_id, f.id, 'says ' || f.size || ' bytes in ' || f.chunks || ', has ' || COALESCE(SUM(LENGTH(c.data)), 0) || ' in ' || COUNT(c.n) FROM media f
		LEFT JOIN media_chunk c ON c.tenant_id=f.tenant_id AND c.media_id=f.id AND c.n < f.chunks
		GROUP BY f.tenant_id, f.id, f.size, f.chunks, f.state, f.sha256
		HAVING f.chunks <> COUNT(c.n) OR f.size <> COALESCE(SUM(LENGTH(c.data)), 0) OR (f.state='ready') <> (f.sha256<>'')
		UNION ALL SELECT c.tenant_id, c.media_id, 'chunk ' || c.n || ' of no such file' FROM media_chunk c
		LEFT JOIN media f ON f.tenant_id=c.tenant_id AND f.id=c.media_id AND c.n < f.chunks WHERE f.id IS NULL`},
	{"message-media", "A message that names a file names one that is ready.",
		`SELECT m.tenant_id, m.id, 'no such file' FROM message m LEFT JOIN media f ON f.tenant_id=m.tenant_id AND f.id=m.media_id AND f.state='ready'
		WHERE m.media_id IS NOT NULL AND f.id IS NULL`},
	{"outgoing-accountable", "Every outgoing message has one outbox row, and the two agree on where it stands.",
		`SELECT m.tenant_id, m.id, 'message ' || m.status || ', outbox ' || COALESCE(o.state, 'missing') FROM message m
		LEFT JOIN outbox o ON o.tenant_id=m.tenant_id AND o.id=m.id WHERE m.direction='outbound' AND NOT COALESCE(
		(o.state IN ('queued','sending','unknown') AND m.status='queued')
		OR (o.state='sent' AND m.status IN ('sent','delivered','read'))
		OR (o.state IN ('failed','cancelled') AND m.status='failed'), FALSE)
		AND NOT EXISTS (SELECT 1 FROM conversation_gone g WHERE g.tenant_id=m.tenant_id AND g.conversation_id=m.conversation_id)`},
	{"outbox-message", "Every outbox row has its message.",
		`SELECT o.tenant_id, o.id, 'no such message' FROM outbox o
		LEFT JOIN message m ON m.tenant_id=o.tenant_id AND m.id=o.id WHERE m.id IS NULL`},
	{"outbox-intent", "A message is sent only under a durable intent: a row that was tried has an attempt, a row being tried a lease.",
		`SELECT tenant_id, id, state FROM outbox WHERE (state IN ('sending','sent','unknown') AND attempt < 1) OR (state='sending' AND lease_until IS NULL)`},
	{"run-version", "Every run walks a version that was kept, unless it has ended and its rule is gone, for a contact that exists, or that was merged if it has ended; one that was launched for a record may have none.",
		`SELECT r.tenant_id, r.id, CASE WHEN v.version IS NULL THEN 'no such version' ELSE 'no such contact' END FROM run r
		LEFT JOIN automation_version v ON v.tenant_id=r.tenant_id AND v.automation_id=r.automation_id AND v.version=r.version
		LEFT JOIN contact c ON c.tenant_id=r.tenant_id AND c.id=r.contact_id
		WHERE (v.version IS NULL AND (r.completed_at IS NULL OR EXISTS (SELECT 1 FROM automation a WHERE a.tenant_id=r.tenant_id AND a.id=r.automation_id)))
		OR (c.id IS NULL AND NOT (r.contact_id='' AND r.entity_schema<>'contact') AND (r.completed_at IS NULL OR NOT EXISTS (SELECT 1 FROM contact_alias l WHERE l.tenant_id=r.tenant_id AND l.old_id=r.contact_id)))`},
	{"run-cause", "One cause starts a rule once.",
		`SELECT tenant_id, MIN(id), cause FROM run GROUP BY tenant_id, automation_id, cause HAVING COUNT(*) > 1`},
	{"run-awake", "Every branch of a run that is under way has what will wake it: an unfinished job, a reply or an event it waits for, or a delivery that exists; a paused run keeps its branches, an ended one has none.",
		`SELECT b.tenant_id, b.run_id, 'nothing wakes the branch at ' || b.node FROM run_branch b
		WHERE (b.wait_key IS NULL OR b.resume_at IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM run p WHERE p.tenant_id=b.tenant_id AND p.id=b.run_id AND p.status='paused') AND NOT EXISTS (SELECT 1 FROM job j WHERE j.tenant_id=b.tenant_id
			AND j.kind='automation.step' AND j.unique_key='run:' || b.run_id || ':' || b.turn AND j.state IN ('available','scheduled','running','retryable'))
		UNION ALL SELECT b.tenant_id, b.run_id, 'it waits for a delivery that is not there' FROM run_branch b WHERE b.wait_key LIKE 'delivery:%'
		AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.tenant_id=b.tenant_id AND 'delivery:' || d.id=b.wait_key)
		UNION ALL SELECT r.tenant_id, r.id, r.status || ' without a branch' FROM run r WHERE r.status IN ('running','waiting','paused')
		AND NOT EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id)
		UNION ALL SELECT r.tenant_id, r.id, r.status || ' with a branch' FROM run r WHERE r.status NOT IN ('running','waiting','paused')
		AND EXISTS (SELECT 1 FROM run_branch b WHERE b.tenant_id=r.tenant_id AND b.run_id=r.id)`},
	{"run-listens", "What a run waits for and what its goal is are its own contact's, and a run that has ended listens to nothing.",
		`SELECT r.tenant_id, r.id, 'the goal is not its own' FROM run r WHERE r.goal_key IS NOT NULL AND (r.completed_at IS NOT NULL OR r.goal_key NOT LIKE 'goal:' || r.contact_id || ':%')
		UNION ALL SELECT b.tenant_id, b.run_id, 'it waits for ' || b.wait_key FROM run_branch b JOIN run r ON r.tenant_id=b.tenant_id AND r.id=b.run_id
		WHERE b.wait_key IS NOT NULL AND b.wait_key NOT LIKE 'delivery:%' AND b.wait_key <> 'reply:' || r.contact_id AND (b.wait_event IS NULL OR b.wait_key <> 'event:' || r.contact_id || ':' || b.wait_event)`},
	{"run-enrolled", "Nobody is in the same sequence twice at a time.",
		`SELECT tenant_id, MIN(id), contact_id FROM run WHERE enrollment AND completed_at IS NULL GROUP BY tenant_id, automation_id, contact_id HAVING COUNT(*) > 1`},
	{"rule-runs", "A rule counts its open runs rightly.",
		`SELECT a.tenant_id, a.id, 'says ' || a.runs_open || ', has ' || COUNT(r.id) FROM automation a
		LEFT JOIN run r ON r.tenant_id=a.tenant_id AND r.automation_id=a.id AND r.status IN ('running','waiting','paused')
		GROUP BY a.tenant_id, a.id, a.runs_open HAVING a.runs_open <> COUNT(r.id)`},
	{"rule-history", "A rule has counted each of its runs, and those that have completed, whether they are kept or were pruned.",
		`SELECT a.tenant_id, a.id, 'says ' || a.runs_started || ', has ' || (COUNT(r.id) + a.runs_pruned) || '; completed ' || a.runs_completed FROM automation a
		LEFT JOIN run r ON r.tenant_id=a.tenant_id AND r.automation_id=a.id
		GROUP BY a.tenant_id, a.id, a.runs_started, a.runs_completed, a.runs_pruned, a.completed_pruned
		HAVING a.runs_started <> COUNT(r.id) + a.runs_pruned OR a.runs_completed <> SUM(CASE WHEN r.status='completed' THEN 1 ELSE 0 END) + a.completed_pruned`},
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
	{"notification-body", "A notification that is still to be sent belongs to a subscription and has its body.",
		`SELECT d.tenant_id, d.id, CASE WHEN s.id IS NULL THEN 'no such subscription' ELSE 'no body' END FROM webhook_delivery d
		LEFT JOIN notification_subscription s ON s.tenant_id=d.tenant_id AND s.id=d.endpoint LEFT JOIN webhook_body b ON b.tenant_id=d.tenant_id AND b.id=d.body_id
		WHERE d.policy='sales' AND d.state='pending' AND (s.id IS NULL OR b.id IS NULL)`},
	{"notification-group", "A group has at most one active subscription, and one that was replaced has ended.",
		`SELECT tenant_id, MAX(id), 'active: ' || COUNT(*) FROM notification_subscription WHERE ended_at IS NULL GROUP BY tenant_id, group_id HAVING COUNT(*) > 1
		UNION ALL SELECT tenant_id, id, 'replaced and active' FROM notification_subscription WHERE ended_at IS NULL AND replaced_by IS NOT NULL`},
	{"job-lease", "A running job has a lease, a finished one an end, and no other job either.",
		`SELECT tenant_id, id, state FROM job WHERE (state='running') <> (lease_until IS NOT NULL)
		OR (state IN ('completed','cancelled','discarded')) <> (finished_at IS NOT NULL)`},
	{"group-tree", "A tenant with groups has one first group, and the closure of its tree is what the groups' parents say.",
		`SELECT tenant_id, group_id, 'does not lie ' || depth || ' below ' || ancestor_id FROM (SELECT tenant_id, ancestor_id, group_id, depth FROM agent_group_path
		EXCEPT SELECT tenant_id, ancestor_id, group_id, depth FROM (` + groupPlaces + `) e) x
		UNION ALL SELECT tenant_id, group_id, 'lies ' || depth || ' below ' || ancestor_id FROM (SELECT tenant_id, ancestor_id, group_id, depth FROM (` + groupPlaces + `) e
		EXCEPT SELECT tenant_id, ancestor_id, group_id, depth FROM agent_group_path) y
		UNION ALL SELECT tenant_id, MIN(id), 'first groups: ' || SUM(CASE WHEN parent_id IS NULL THEN 1 ELSE 0 END) FROM agent_group WHERE deleted_at IS NULL
		GROUP BY tenant_id HAVING SUM(CASE WHEN parent_id IS NULL THEN 1 ELSE 0 END) <> 1`},
	{"agent-group", "Every agent that was not deleted is in a group that was not deleted.",
		`SELECT a.tenant_id, a.id, 'no such group' FROM agent a LEFT JOIN agent_group g ON g.tenant_id=a.tenant_id AND g.id=a.group_id AND g.deleted_at IS NULL
		WHERE a.deleted_at IS NULL AND g.id IS NULL`},
	{"handover-place", "The work on a contact names a contact that exists, a group that was not deleted, and an agent that is known; one that was deleted has only archived contacts.",
		`SELECT h.tenant_id, h.contact_id, 'no such contact' FROM handover h LEFT JOIN contact c ON c.tenant_id=h.tenant_id AND c.id=h.contact_id WHERE c.id IS NULL
		UNION ALL SELECT h.tenant_id, h.contact_id, 'no such group' FROM handover h LEFT JOIN agent_group g ON g.tenant_id=h.tenant_id AND g.id=h.group_id AND g.deleted_at IS NULL WHERE g.id IS NULL
		UNION ALL SELECT h.tenant_id, h.contact_id, 'no such agent' FROM handover h LEFT JOIN agent a ON a.tenant_id=h.tenant_id AND a.id=h.agent_id
		WHERE h.agent_id IS NOT NULL AND (a.id IS NULL OR (a.deleted_at IS NOT NULL AND h.status <> 'archived' AND h.held_status <> 'archived'))`},
	{"handover-state", "Unclaimed work has no agent, new and followed up work has one, archived work says when; what is offered is unclaimed.",
		`SELECT tenant_id, contact_id, status FROM handover WHERE (status='unclaimed' AND agent_id IS NOT NULL) OR (status IN ('new','followUp') AND agent_id IS NULL)
		OR ((status='archived') <> (archived_at IS NOT NULL) AND status <> 'processing') OR (status='processing') <> (held_status <> '')
		OR (archiving_reason <> '' AND archived_at IS NULL) OR (offer_agent_id IS NOT NULL AND status <> 'unclaimed')
		OR status NOT IN ('unclaimed','new','followUp','processing','archived')`},
	{"selection-whole", "A selection has every page of its contacts.",
		`SELECT s.tenant_id, s.id, COUNT(p.page) || ' pages for ' || s.total FROM selection s LEFT JOIN selection_page p ON p.tenant_id=s.tenant_id AND p.selection_id=s.id
		GROUP BY s.tenant_id, s.id, s.total HAVING COUNT(p.page) <> (s.total+999)/1000
		UNION ALL SELECT p.tenant_id, p.selection_id, 'no such selection' FROM selection_page p LEFT JOIN selection s ON s.tenant_id=p.tenant_id AND s.id=p.selection_id WHERE s.id IS NULL`},
	{"handover-log", "The work on a contact is where the newest entry of its history led, and the history's versions have no gap.",
		`SELECT h.tenant_id, h.contact_id, h.status || ' at version ' || h.version || ' of ' || COUNT(l.version) FROM handover h
		LEFT JOIN handover_log l ON l.tenant_id=h.tenant_id AND l.contact_id=h.contact_id GROUP BY h.tenant_id, h.contact_id, h.status, h.version, h.group_id, h.agent_id
		HAVING h.version <> COUNT(l.version) OR h.version <> COALESCE(MAX(l.version), 0)
		OR SUM(CASE WHEN l.version=h.version AND l.status=h.status AND l.group_id=h.group_id AND COALESCE(l.agent_id, '')=COALESCE(h.agent_id, '') THEN 1 ELSE 0 END) <> 1`},
	{"quote-state", "A quote belongs to a contact that exists; it is pending, or accepted or rejected and says when.",
		`SELECT q.tenant_id, q.id, 'no such contact' FROM quote q LEFT JOIN contact c ON c.tenant_id=q.tenant_id AND c.id=q.contact_id WHERE c.id IS NULL
		UNION ALL SELECT tenant_id, id, status FROM quote WHERE status NOT IN ('pending','accepted','rejected')
		OR (status='accepted') <> (accepted_at IS NOT NULL) OR (status='rejected') <> (rejected_at IS NOT NULL)`},
	{"app-key", "The key of an uninstalled app is revoked; that of a disabled one opens nothing; a second token of a key is one that an app is about to take.",
		`SELECT i.tenant_id, i.id, i.state || ' with a key that opens' FROM app_instance i JOIN access_key k ON k.tenant_id=i.tenant_id AND k.id=i.key_id
		WHERE k.revoked_at IS NULL AND (i.state='uninstalled' OR (NOT i.enabled AND k.enabled))
		UNION ALL SELECT o.tenant_id, o.key_id, 'nobody takes the second token' FROM access_successor o
		LEFT JOIN app_instance i ON i.tenant_id=o.tenant_id AND i.key_id=o.key_id AND i.next_token <> '' AND i.state <> 'uninstalled' WHERE i.id IS NULL`},
	{"app-call", "What an app has yet to be told has a job that tells it, or says that it was given up; an instance that owes nothing told all.",
		`SELECT i.tenant_id, i.id, 'nobody tells: ' || i.owes FROM app_instance i
		LEFT JOIN job j ON j.tenant_id=i.tenant_id AND j.kind='app.tell' AND j.unique_key=i.id AND j.state IN ('available','scheduled','running','retryable')
		WHERE i.owes <> '' AND i.gave_up_at IS NULL AND j.id IS NULL
		UNION ALL SELECT tenant_id, id, state FROM app_instance WHERE owes='' AND (state='pending' OR next_token <> '' OR (state='uninstalled' AND token <> '')
		OR (state IN ('enabled','disabled') AND (told_enabled IS NULL OR told_enabled <> enabled)))
		OR (state IN ('enabled','disabled') AND (state='enabled') <> enabled) OR state NOT IN ('pending','enabled','disabled','uninstalled')`},
	{"erased-nothing", "An erased contact owns nothing and is known by nothing; what is left of a long history has a job that takes it away.",
		`SELECT c.tenant_id, c.id, 'is not recorded as erased' FROM contact c LEFT JOIN contact_erasure e ON e.tenant_id=c.tenant_id AND e.contact_id=c.id WHERE c.erased_at IS NOT NULL AND e.erased_at IS NULL
		UNION ALL SELECT e.tenant_id, e.contact_id, 'is known by name' FROM contact_erasure e JOIN contact c ON c.tenant_id=e.tenant_id AND c.id=e.contact_id
		WHERE c.erased_at IS NULL OR c.first_name <> '' OR c.last_name <> '' OR c.search_name <> '' OR c.source <> '' OR c.assigned_to IS NOT NULL
		UNION ALL SELECT e.tenant_id, e.contact_id, 'keeps the addresses' FROM contact_erasure e WHERE e.done_at IS NOT NULL AND CAST(e.addresses AS TEXT) <> '[]'
		UNION ALL SELECT e.tenant_id, e.contact_id, 'nobody takes the rest away' FROM contact_erasure e LEFT JOIN job j ON j.tenant_id=e.tenant_id AND j.kind='contact.erase' AND j.unique_key=e.contact_id
		AND j.state IN ('available','scheduled','running','retryable') WHERE e.done_at IS NULL AND j.id IS NULL
		UNION ALL SELECT e.tenant_id, e.contact_id, 'a merge' FROM contact_merge m JOIN contact_erasure e ON e.tenant_id=m.tenant_id AND (e.contact_id=m.survivor_id OR e.contact_id=m.merged_id)
		UNION ALL SELECT x.tenant_id, x.contact_id, 'an address' FROM identity x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a tag' FROM contact_tag x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a consent' FROM contact_consent x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a consent''s log' FROM consent_log x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a word' FROM contact_word x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a reference' FROM contact_ref x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'an attribute' FROM contact_attribute x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a deal' FROM deal x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a conversation' FROM conversation x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'work' FROM handover x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a quote' FROM quote x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id
		UNION ALL SELECT x.tenant_id, x.contact_id, 'an activity' FROM activity x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a note' FROM note x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'an inquiry' FROM inquiry x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a move' FROM handover_log x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a run' FROM run x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a decision' FROM rule_decision x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'a trigger call' FROM trigger_log x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL
		UNION ALL SELECT x.tenant_id, x.contact_id, 'messages' FROM conversation_gone x JOIN contact_erasure e ON e.tenant_id=x.tenant_id AND e.contact_id=x.contact_id AND e.done_at IS NOT NULL`},
	{"record-child", "Every tag, relation and place in the index of a record belongs to a record that exists, and what was deleted has no place there.",
		`SELECT x.tenant_id, x.record_id, x.what FROM (SELECT tenant_id, record_id, 'tag ' || tag AS what, '' AS schema FROM record_tag
		UNION ALL SELECT tenant_id, record_id, 'relation ' || entity_id, '' FROM record_relation
		UNION ALL SELECT tenant_id, record_id, 'attribute ' || name, schema FROM record_attribute) x
		LEFT JOIN record r ON r.tenant_id=x.tenant_id AND r.id=x.record_id WHERE r.id IS NULL OR x.schema <> '' AND (r.schema <> x.schema OR r.deleted_at IS NOT NULL)`},
	{"record-event", "Every record belongs to a tenant that exists and has the event of its creation in the feed.",
		`SELECT r.tenant_id, r.id, 'no such tenant' FROM record r LEFT JOIN tenant t ON t.tenant_id=r.tenant_id WHERE t.tenant_id IS NULL
		UNION ALL SELECT tenant_id, id, 'no record.created' FROM (SELECT tenant_id, id FROM record WHERE ` + remembered + `
		EXCEPT SELECT tenant_id, subject FROM event WHERE type='record.created') x`},
	{"record-index", "A record is found by what it holds and refers to, and by nothing else.", ""},
	{"portal-widgets", "Every widget is of a portal that exists, a portal's widgets count from 0 without a gap, and only widgets that show a campaign refer to one.",
		`SELECT w.tenant_id, w.portal_id, 'widgets ' || COUNT(*) || ', last at ' || MAX(w.position) FROM portal_widget w
		LEFT JOIN portal p ON p.tenant_id=w.tenant_id AND p.id=w.portal_id GROUP BY w.tenant_id, w.portal_id
		HAVING MIN(w.position) <> 0 OR MAX(w.position) <> COUNT(*)-1 OR COUNT(p.id) <> COUNT(*)
		OR SUM(CASE WHEN w.campaign_id IS NOT NULL AND w.type NOT IN ('CAMPAIGN_WIDGET','PRODUCT_RECOMMENDATIONS_WIDGET') THEN 1 ELSE 0 END) > 0`},
	{"segment-set", "A tenant's set of segments counts them rightly, also those that select each schema, and is as new as the newest.", ""},
	{"segment-seeded", "A segment of whom it is not known yet whom it contained has a walk that finds it out.",
		`SELECT s.tenant_id, s.id, 'no walk over ' || s.entity_schema FROM segment s LEFT JOIN segment_seed w ON w.tenant_id=s.tenant_id AND w.entity_schema=s.entity_schema
		WHERE s.seeded=0 AND w.tenant_id IS NULL`},
	{"segment-member", "Whoever is remembered in a segment is there, or is to be compared again.",
		`SELECT m.tenant_id, m.entity_id, 'no such contact' FROM segment_member m LEFT JOIN contact c ON c.tenant_id=m.tenant_id AND c.id=m.entity_id AND c.erased_at IS NULL
		WHERE m.entity_schema='contact' AND c.id IS NULL AND NOT EXISTS (SELECT 1 FROM segment_owed o WHERE o.tenant_id=m.tenant_id AND o.entity_id=m.entity_id)
		UNION ALL SELECT m.tenant_id, m.entity_id, 'no such record' FROM segment_member m LEFT JOIN record r ON r.tenant_id=m.tenant_id AND r.id=m.entity_id AND r.deleted_at IS NULL
		WHERE m.entity_schema NOT IN ('contact','campaign','target') AND r.id IS NULL
		AND NOT EXISTS (SELECT 1 FROM segment_owed o WHERE o.tenant_id=m.tenant_id AND o.entity_id=m.entity_id)
		AND NOT EXISTS (SELECT 1 FROM segment_seed w WHERE w.tenant_id=m.tenant_id AND w.entity_schema=m.entity_schema AND w.cleared=0)`},
	{"token-key", "Every access token is a key of the targeting API without a token of its own, and every such key an access token.",
		`SELECT t.tenant_id, t.id, 'no such key' FROM access_token t
		LEFT JOIN access_key k ON k.tenant_id=t.tenant_id AND k.id=t.id AND k.face='targeting' AND k.hash='id:' || k.id WHERE k.id IS NULL
		UNION ALL SELECT k.tenant_id, k.id, 'no such token' FROM access_key k
		LEFT JOIN access_token t ON t.tenant_id=k.tenant_id AND t.id=k.id WHERE k.hash='id:' || k.id AND t.id IS NULL`},
	{"token-signer", "Where tokens were ever signed one key signs; the key of a token that was not revoked verifies until the token ends.",
		`SELECT 'server', MIN(kid), 'keys that sign: ' || SUM(CASE WHEN retired_at IS NULL THEN 1 ELSE 0 END) FROM signing_key
		GROUP BY tenant_id HAVING SUM(CASE WHEN retired_at IS NULL THEN 1 ELSE 0 END) <> 1
		UNION ALL SELECT t.tenant_id, t.id, CASE WHEN s.kid IS NULL THEN 'no such signing key' ELSE 'its key ends before it' END FROM access_token t
		JOIN access_key k ON k.tenant_id=t.tenant_id AND k.id=t.id AND k.revoked_at IS NULL
		LEFT JOIN signing_key s ON s.tenant_id='' AND s.kid=t.kid WHERE s.kid IS NULL OR s.ends_at < t.expires_at`},
	{"bulk-count", "A bulk job counts its entities and the runs that it started rightly, and every entity belongs to a job that exists.",
		`SELECT j.tenant_id, j.id, 'says ' || j.started || ' of ' || j.total || ', has ' || COUNT(i.run_id) || ' of ' || COUNT(i.entity_id) FROM bulk_job j
		LEFT JOIN bulk_item i ON i.tenant_id=j.tenant_id AND i.job_id=j.id GROUP BY j.tenant_id, j.id, j.started, j.refused, j.total
		HAVING j.total <> COUNT(i.entity_id) OR j.started <> COUNT(i.run_id) OR j.started + j.refused > j.total
		UNION ALL SELECT i.tenant_id, i.job_id, 'no such job' FROM bulk_item i LEFT JOIN bulk_job j ON j.tenant_id=i.tenant_id AND j.id=i.job_id WHERE j.id IS NULL`},
	{"bulk-run", "An entity of a bulk job has a run of its own, and is open as long as that run.",
		`SELECT i.tenant_id, i.job_id, i.entity_id || ' ' || COALESCE(i.run_id, '') FROM bulk_item i LEFT JOIN run r ON r.tenant_id=i.tenant_id AND r.id=i.run_id
		WHERE i.run_id IS NOT NULL AND r.id IS NOT NULL AND (r.owner_id IS NULL OR r.owner_id <> i.job_id OR r.entity_id <> i.entity_id OR i.is_open <> (r.completed_at IS NULL))
		OR i.is_open AND r.id IS NULL
		UNION ALL SELECT r.tenant_id, r.owner_id, 'has no entity of the run ' || r.id FROM run r JOIN bulk_job j ON j.tenant_id=r.tenant_id AND j.id=r.owner_id
		LEFT JOIN bulk_item i ON i.tenant_id=r.tenant_id AND i.job_id=r.owner_id AND i.entity_id=r.entity_id AND i.run_id=r.id
		WHERE r.owner_id IS NOT NULL AND r.completed_at IS NULL AND i.entity_id IS NULL`},
	{"bulk-carried", "A bulk job that is under way has what carries it on; one that ended says when, and has had every entity's turn if it was finished.",
		`SELECT j.tenant_id, j.id, 'nothing carries it on: ' || j.status FROM bulk_job j WHERE j.status NOT IN ('approval','finished','failed','cancelled')
		AND NOT EXISTS (SELECT 1 FROM job q WHERE q.tenant_id=j.tenant_id AND q.kind='bulk.advance' AND q.unique_key=j.id AND q.state IN ('available','scheduled','running','retryable'))
		UNION ALL SELECT tenant_id, id, 'ended too early: ' || status FROM bulk_job WHERE status IN ('monitoring','send_report','finished') AND started + refused <> total
		UNION ALL SELECT tenant_id, id, 'its end has no time' FROM bulk_job WHERE (status IN ('finished','failed','cancelled')) <> (ended_at IS NOT NULL)`},
	{"campaign-job", "A campaign that is being activated has a job under way and its token, and no other campaign has one.",
		`SELECT c.tenant_id, c.id, c.status FROM campaign c LEFT JOIN bulk_job j ON j.tenant_id=c.tenant_id AND j.id=c.job_id AND j.status NOT IN ('finished','failed','cancelled')
		WHERE c.status='activating' AND (j.id IS NULL OR c.job_token IS NULL) OR c.status<>'activating' AND c.job_token IS NOT NULL`},
	{"campaign-recipient", "Every recipient belongs to a campaign that exists; a person who is one exists, and one that is not listed any more was merged.",
		`SELECT r.tenant_id, r.campaign_id, 'no such campaign' FROM campaign_recipient r LEFT JOIN campaign c ON c.tenant_id=r.tenant_id AND c.id=r.campaign_id WHERE c.id IS NULL
		UNION ALL SELECT r.tenant_id, r.campaign_id, 'nobody is ' || r.entity_id FROM campaign_recipient r LEFT JOIN contact c ON c.tenant_id=r.tenant_id AND c.id=r.entity_id AND c.erased_at IS NULL
		WHERE r.entity_schema='contact' AND r.merged_into IS NULL AND c.id IS NULL
		UNION ALL SELECT r.tenant_id, r.campaign_id, r.entity_id || ' was not merged' FROM campaign_recipient r LEFT JOIN contact_alias a ON a.tenant_id=r.tenant_id AND a.old_id=r.entity_id
		WHERE r.merged_into IS NOT NULL AND a.old_id IS NULL`},
	{"campaign-tally", "The tally of a campaign counts its recipients rightly in each pair of statuses.",
		`SELECT tenant_id, campaign_id, automation_status || '/' || portal_status FROM (
		SELECT tenant_id, campaign_id, automation_status, portal_status, recipients AS n FROM campaign_tally
		UNION ALL SELECT tenant_id, campaign_id, automation_status, portal_status, -1 FROM campaign_recipient WHERE merged_into IS NULL) x
		GROUP BY tenant_id, campaign_id, automation_status, portal_status HAVING SUM(n) <> 0`},
	{"campaign-run", "A run stands for one listed recipient at most, and who follows a run has its status.",
		`SELECT v.tenant_id, v.campaign_id, v.entity_id || ' is ' || v.automation_status || ', its run ' || r.status FROM campaign_recipient v
		JOIN run r ON r.tenant_id=v.tenant_id AND r.id=v.run_id
		WHERE NOT (r.status IN ('running','waiting') AND v.automation_status IN ('pending','in_progress') OR r.status='paused' AND v.automation_status='in_progress'
		OR r.status='completed' AND v.automation_status='success' OR r.status='failed' AND v.automation_status='failed' OR r.status='aborted' AND v.automation_status IN ('cancelled','success'))
		UNION ALL SELECT tenant_id, MIN(campaign_id), 'of two: ' || run_id FROM campaign_recipient WHERE run_id IS NOT NULL AND merged_into IS NULL GROUP BY tenant_id, run_id HAVING COUNT(*) > 1`},
	{"key-tenant", "Every key and every secret belongs to a tenant that exists.",
		`SELECT k.tenant_id, k.id, 'no such tenant' FROM access_key k LEFT JOIN tenant t ON t.tenant_id=k.tenant_id WHERE t.tenant_id IS NULL
		UNION ALL SELECT s.tenant_id, s.name, 'no such tenant' FROM tenant_secret s LEFT JOIN tenant t ON t.tenant_id=s.tenant_id WHERE t.tenant_id IS NULL`},
}
