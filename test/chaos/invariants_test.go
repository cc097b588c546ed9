package chaos

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/access"
	"parley/internal/agent"
	"parley/internal/app"
	"parley/internal/automation"
	"parley/internal/bulk"
	"parley/internal/campaign"
	"parley/internal/contact"
	"parley/internal/deal"
	"parley/internal/entity"
	"parley/internal/event"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/notification"
	"parley/internal/portal"
	"parley/internal/quote"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/segment"
	"parley/internal/store"
	"parley/internal/store/storetest"
	tenants "parley/internal/tenant"
	"parley/internal/token"
	"parley/internal/verify"
	"parley/internal/webhook"
)

// corruptions breaks each published invariant, by one row. What a unique index
// guards needs the index gone first. Several texts are several ways to break it.
var corruptions = map[string][]string{
	"identity-owner":   {"UPDATE identity SET contact_id='nobody' WHERE value=(SELECT MIN(value) FROM identity)"},
	"identity-claim":   {"DROP INDEX identity_claim; UPDATE identity SET value=(SELECT MAX(value) FROM identity) WHERE value=(SELECT MIN(value) FROM identity)"},
	"identity-primary": {"UPDATE identity SET is_primary=FALSE WHERE value=(SELECT MIN(value) FROM identity)"},
	"contact-tenant":   {"UPDATE contact SET tenant_id='nobody' WHERE id=(SELECT MIN(id) FROM contact)"},
	"contact-event":    {"DELETE FROM event WHERE type='contact.created' AND subject=(SELECT MIN(id) FROM contact)"},
	"tag-owner":        {"UPDATE contact_tag SET contact_id='nobody'"},
	"activity-owner":   {"UPDATE activity SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM activity)"},
	"alias-flat": {
		"UPDATE contact_alias SET contact_id='nobody'",
		"UPDATE contact_alias SET old_id=(SELECT MIN(id) FROM contact)",
	},
	"merge-alias": {"DELETE FROM contact_alias"},
	"consent-log": {
		"UPDATE contact_consent SET state='in' WHERE state='out'",
		"DELETE FROM consent_log WHERE position=(SELECT MAX(position) FROM consent_log)",
		"DELETE FROM contact_consent",
	},
	"contact-child": {
		"UPDATE contact_consent SET contact_id='nobody'",
		"UPDATE contact_word SET contact_id='nobody' WHERE word=(SELECT MIN(word) FROM contact_word)",
		"INSERT INTO contact_attribute (tenant_id, name, value, contact_id) SELECT tenant_id, 'city', 'tpune', 'nobody' FROM tenant",
	},
	"pipeline-default": {
		"UPDATE pipeline SET is_default=FALSE",
		"UPDATE stage SET is_default=TRUE WHERE id=(SELECT MIN(id) FROM stage WHERE NOT is_default)",
	},
	"deal-place": {
		"UPDATE deal SET stage_id='nowhere' WHERE id=(SELECT MIN(id) FROM deal)",
		"UPDATE deal SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM deal)",
	},
	"deal-primary": {"UPDATE deal SET is_primary=FALSE WHERE id=(SELECT MIN(id) FROM deal)"},
	"deal-history": {
		"UPDATE deal_stage SET left_at=1 WHERE deal_id=(SELECT MIN(id) FROM deal)",
		"UPDATE deal_stage SET stage_id='elsewhere' WHERE deal_id=(SELECT MIN(id) FROM deal)",
	},
	"stage-order": {
		"UPDATE stage SET position=position+1",
		"UPDATE stage SET position=0 WHERE position=1",
		"UPDATE stage SET pipeline_id='nowhere'",
	},
	"deal-tally": {
		"UPDATE deal_tally SET deals=deals+1",
		"UPDATE deal_tally SET primaries=primaries-1",
		"UPDATE deal_tally SET whole=whole+1",
		"DELETE FROM deal_tally",
	},
	"conversation-contact": {"UPDATE conversation SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM conversation WHERE contact_id IS NOT NULL)"},
	"conversation-owner": {
		"UPDATE conversation SET owner_kind='agent', owner_agent='asha', owner_version=1 WHERE id=(SELECT MIN(id) FROM conversation)",
		"UPDATE conversation SET owner_version=owner_version+1 WHERE id=(SELECT MIN(conversation_id) FROM conversation_owner_log)",
		"UPDATE conversation_owner_log SET from_kind='queue', from_agent='' WHERE version=2",
	},
	"media-complete": {
		"DELETE FROM media_chunk WHERE n=0",
		"UPDATE media SET size=size+1",
		"UPDATE media_chunk SET n=n+7",
	},
	"message-media":        {"UPDATE message SET media_id='nothing' WHERE id=(SELECT MIN(id) FROM message)"},
	"message-conversation": {"UPDATE message SET conversation_id='nowhere' WHERE id=(SELECT MIN(id) FROM message)"},
	"conversation-count": {
		"UPDATE conversation SET messages=messages+1 WHERE id=(SELECT MIN(id) FROM conversation)",
		"UPDATE conversation SET last_message_id='another' WHERE id=(SELECT MIN(id) FROM conversation)",
	},
	"message-once": {`DROP INDEX message_provider; UPDATE message SET provider_id=(SELECT MAX(provider_id) FROM message)
		WHERE provider_id=(SELECT MIN(provider_id) FROM message)`},
	"message-event": {
		"DELETE FROM event WHERE type='message.received'",
		"DELETE FROM event WHERE type='message.queued' AND subject=(SELECT MIN(id) FROM message WHERE direction='outbound')",
	},
	"outgoing-accountable": {
		"DELETE FROM outbox WHERE id=(SELECT MIN(id) FROM outbox)",
		"UPDATE outbox SET state='queued' WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
		"UPDATE message SET status='failed' WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
	},
	"outbox-message": {"DELETE FROM message WHERE id=(SELECT MIN(id) FROM outbox)"},
	"outbox-intent": {
		"UPDATE outbox SET attempt=0 WHERE id=(SELECT MIN(id) FROM outbox WHERE state='sent')",
		"UPDATE outbox SET state='sending', lease_until=NULL WHERE id=(SELECT MIN(id) FROM outbox)",
	},
	"run-version": {
		"DELETE FROM automation_version",
		"UPDATE run SET contact_id='nobody' WHERE id=(SELECT MIN(id) FROM run)",
	},
	"run-cause": {"DROP INDEX run_cause; UPDATE run SET cause='the same' WHERE owner_id IS NULL"},
	"run-awake": {
		"DELETE FROM job WHERE kind='automation.step' AND unique_key IN (SELECT 'run:' || run_id || ':' || turn FROM run_branch)",
		"DELETE FROM run_branch",
		"UPDATE run SET status='completed' WHERE status='waiting'",
		"UPDATE run_branch SET wait_key='delivery:none'",
	},
	"run-listens": {
		"UPDATE run SET goal_key='goal:nobody:paid' WHERE status='waiting'",
		"UPDATE run_branch SET wait_key='reply:nobody'",
	},
	"run-enrolled": {"DROP INDEX run_enrolled_once; UPDATE run SET enrollment=TRUE, completed_at=NULL, contact_id=(SELECT MIN(contact_id) FROM run), automation_id=(SELECT MIN(automation_id) FROM run)"},
	"rule-runs":    {"UPDATE automation SET runs_open=runs_open+1"},
	"rule-history": {"UPDATE automation SET runs_started=runs_started+1", "UPDATE automation SET runs_completed=runs_completed+1", "UPDATE automation SET runs_pruned=runs_pruned+1"},
	"run-steps":    {"DELETE FROM run_step WHERE run_id=(SELECT MIN(id) FROM run) AND position=0"},
	"trigger-runs": {"UPDATE trigger_log SET runs_open=runs_open+1 WHERE id=(SELECT MIN(id) FROM trigger_log)",
		"UPDATE trigger_log SET status='processing' WHERE status='completed'",
		"UPDATE trigger_log SET status='completed' WHERE status='processing'",
		"UPDATE run SET trigger_id=NULL WHERE status='waiting'"},
	"webhook-intent": {
		"UPDATE webhook_delivery SET attempt=0 WHERE id=(SELECT MIN(id) FROM webhook_delivery)",
		"UPDATE webhook_delivery SET state='lost' WHERE id=(SELECT MIN(id) FROM webhook_delivery)",
	},
	"notification-body": {
		"DELETE FROM webhook_body",
		"DELETE FROM notification_subscription",
	},
	"notification-group": {
		"DROP INDEX notification_active; INSERT INTO notification_subscription (tenant_id, id, group_id, key_id, topics, callback_url, shape, created_at) " +
			"SELECT tenant_id, 'another', group_id, key_id, topics, callback_url, shape, created_at FROM notification_subscription WHERE id=(SELECT MIN(id) FROM notification_subscription WHERE ended_at IS NULL)",
		"UPDATE notification_subscription SET replaced_by=id",
	},
	"job-lease": {
		"UPDATE job SET state='running' WHERE id=(SELECT MIN(id) FROM job WHERE state='scheduled')",
		"UPDATE job SET finished_at=NULL WHERE id=(SELECT MIN(id) FROM job WHERE state='completed')",
	},
	"group-tree": {
		"DELETE FROM agent_group_path WHERE depth=2",
		"UPDATE agent_group_path SET depth=3 WHERE depth=2",
		"UPDATE agent_group SET parent_id='nowhere' WHERE parent_id IS NULL",
	},
	"agent-group": {"UPDATE agent SET group_id='nowhere' WHERE deleted_at IS NULL"},
	"handover-place": {
		"UPDATE handover SET contact_id='nobody' WHERE contact_id=(SELECT MIN(contact_id) FROM handover)",
		"UPDATE handover SET group_id='nowhere' WHERE contact_id=(SELECT MIN(contact_id) FROM handover)",
		"UPDATE agent SET deleted_at=1 WHERE id=(SELECT MIN(agent_id) FROM handover WHERE status='followUp')",
	},
	"handover-state": {
		"UPDATE handover SET agent_id=NULL WHERE status='followUp'",
		"UPDATE handover SET status='archived' WHERE status='followUp'",
		"UPDATE handover SET offer_agent_id='somebody' WHERE status='followUp'",
	},
	"selection-whole": {
		"DELETE FROM selection_page",
		"DELETE FROM selection",
		"UPDATE selection SET total=total+1000",
	},
	"erased-nothing": {
		"UPDATE contact SET erased_at=1 WHERE id=(SELECT MIN(id) FROM contact)",
		"INSERT INTO contact_erasure (tenant_id, contact_id, ids, addresses, actor, erased_at, done_at) SELECT tenant_id, id, '[]', '[]', 'system', 1, 1 FROM contact WHERE id=(SELECT MIN(contact_id) FROM identity)",
		"INSERT INTO contact_erasure (tenant_id, contact_id, ids, addresses, actor, erased_at) SELECT tenant_id, 'gone', '[]', '[]', 'system', 1 FROM tenant",
	},
	"handover-log": {
		"UPDATE handover SET version=version+1",
		"DELETE FROM handover_log WHERE version=1",
		"UPDATE handover_log SET status='new' WHERE status='followUp'",
	},
	"quote-state": {
		"UPDATE quote SET contact_id='nobody'",
		"UPDATE quote SET status='won'",
		"UPDATE quote SET accepted_at=NULL",
		"UPDATE quote SET status='pending'",
		"UPDATE quote SET rejected_at=1",
	},
	"app-key": {
		"UPDATE app_instance SET state='uninstalled', token=''",
		"UPDATE app_instance SET enabled=FALSE",
		"INSERT INTO access_successor (tenant_id, key_id, hash, created_at) SELECT tenant_id, id, 'x', 1 FROM access_key WHERE id=(SELECT key_id FROM app_instance)",
	},
	"app-call": {
		"DELETE FROM job WHERE kind='app.tell'",
		"UPDATE app_instance SET owes=''",
		"UPDATE app_instance SET state='enabled', owes=''",
		"UPDATE app_instance SET state='lost'",
	},
	"record-child": {
		"UPDATE record_tag SET record_id='nowhere'",
		"UPDATE record_relation SET record_id='nowhere'",
		"UPDATE record SET deleted_at=1",
	},
	"record-event": {
		"DELETE FROM event WHERE type='record.created'",
		"UPDATE record SET tenant_id='nobody'",
	},
	"record-index": {
		"DELETE FROM record_attribute WHERE name='name'",
		"UPDATE record_attribute SET value='tother' WHERE name='name'",
		"DELETE FROM record_relation",
	},
	"portal-widgets": {
		"DELETE FROM portal_widget WHERE position=0",
		"UPDATE portal_widget SET portal_id='nowhere'",
		"UPDATE portal_widget SET type='CONTENT_WIDGET'",
	},
	"bulk-count": {
		"UPDATE bulk_job SET total=total+1",
		"UPDATE bulk_job SET id='nowhere'",
		"UPDATE bulk_item SET run_id=NULL WHERE entity_id=(SELECT MIN(entity_id) FROM bulk_item)",
	},
	"bulk-run": {
		"UPDATE run SET owner_id=NULL WHERE owner_id IS NOT NULL",
		"UPDATE bulk_item SET is_open=FALSE",
		"UPDATE bulk_item SET run_id='nothing'",
		"DELETE FROM bulk_item",
	},
	"bulk-carried": {
		"DELETE FROM job WHERE kind='bulk.advance'",
		"UPDATE bulk_job SET status='finished'",
		"UPDATE bulk_job SET status='finished', ended_at=1, total=total+1",
	},
	"campaign-job": {
		"UPDATE campaign SET status='activating'",
		"UPDATE campaign SET job_token='x'",
	},
	"campaign-recipient": {
		"UPDATE campaign_recipient SET campaign_id='nowhere'",
		"UPDATE campaign_recipient SET entity_id='nobody'",
		"UPDATE campaign_recipient SET merged_into='somebody'",
	},
	"campaign-tally": {
		"DELETE FROM campaign_tally",
		"UPDATE campaign_tally SET recipients=recipients+1",
	},
	"campaign-run": {
		"UPDATE campaign_recipient SET run_id=(SELECT MIN(id) FROM run WHERE status='completed'), automation_status='failed'",
	},
	"segment-set": {
		"UPDATE segment_set SET segments=segments+1",
		"UPDATE segment_set SET schemas='{}'",
		"UPDATE segment_set SET version=0",
		"DELETE FROM segment_set",
	},
	"segment-seeded": {"UPDATE segment SET seeded=0"},
	"segment-member": {
		"UPDATE segment_member SET entity_id='nobody' WHERE entity_id=(SELECT MIN(entity_id) FROM segment_member)",
		"UPDATE segment_member SET entity_schema='contract'",
	},
	"token-key": {
		"DELETE FROM access_token",
		"UPDATE access_key SET face='sales' WHERE hash='id:' || id",
		"UPDATE access_key SET hash='0' WHERE hash='id:' || id",
	},
	"token-signer": {
		"DELETE FROM signing_key",
		"UPDATE signing_key SET retired_at=1",
		"UPDATE signing_key SET ends_at=0",
	},
	"key-tenant": {
		"UPDATE access_key SET tenant_id='nobody'",
		"UPDATE tenant_secret SET tenant_id='nobody'",
	},
}

// base runs a small story through the real server: two triggers, one answered
// and called back, a stranger who writes, leads, sends. The server is stopped.
func base(t *testing.T, database string) *proc {
	t.Helper()
	w := newWorld(t)
	p := newProc(t, parley(t), database, w.base)
	p.start(t)
	c := w.setUp(t, p)
	l := &load{t: t, w: w, c: c, j: newJournal(), ctx: context.Background()}
	l.fire(0, 4)
	l.fire(0, 3) // nobody answers it
	l.createLead(0, 2)
	l.write(0, 5)
	l.upsert(0, 6)
	l.send(0, 7)
	l.mergeAndRefuse()
	l.inbox()
	eventually(t, time.Minute, "the answer", func() (bool, string) {
		l.reply(0, 0)
		return len(l.j.copied().inbound) == 2, fmt.Sprint(l.j.inbound)
	})
	// The timeline's tag and the callbacks come by themselves.
	quiet(t, w, c, time.Minute)
	check(t, w, c, l.j).report(t)
	p.stop(t)
	desks(t, p)
	if t.Failed() {
		t.FailNow()
	}
	return p
}

// desks gives the stopped server's contacts groups and agents, one of whom works.
func desks(t *testing.T, p *proc) {
	t.Helper()
	ctx, db := context.Background(), opened(t, p.options())
	defer db.Close()
	var tenantID id.ID
	if err := db.Read(ctx, id.Zero).All().QueryRow("SELECT MIN(tenant_id) FROM contact").Scan(&tenantID); err != nil {
		t.Fatal(err)
	}
	box, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	log, clients := event.NewLog(), tenants.New(db, box)
	people := contact.NewService(db, log, clients)
	agents := agent.NewService(db, log, clients)
	work := handover.NewService(db, log, people, deal.NewService(db, log, people, clients), agents)
	hooks := webhook.NewService(db, log, clients, nil)
	notes := notification.NewService(db, log, people, agents, work, access.New(db, clients), clients, hooks)
	shop, err := agents.CreateGroup(ctx, tenantID, "system", agent.Group{Name: "Shop"})
	if err == nil {
		shop, err = agents.CreateGroup(ctx, tenantID, "system", agent.Group{Name: "Counter", Parent: shop.ID})
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := agents.Create(ctx, tenantID, "system", agent.Agent{FirstName: "Asha", Group: shop.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := work.Adopt(ctx, tenantID); err != nil {
		t.Fatal(err)
	}
	list, err := work.List(work.Reads(ctx, tenantID), handover.Filter{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if _, err := work.Claim(ctx, tenantID, "system", list[0].Contact, a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := work.Select(ctx, tenantID, "system", id.New(), handover.Filter{}); err != nil {
		t.Fatal(err)
	}
	// A notification that nobody has sent yet.
	sub, err := notes.Subscribe(ctx, tenantID, notification.New{Group: shop.ID, Key: id.New(), Topics: []string{notification.Prospects}, CallbackURL: "http://127.0.0.1:9/"})
	if err == nil {
		err = db.Write(ctx, tenantID, func(tx *store.Tx) error {
			bodies, err := hooks.KeepBodiesIn(tx, []webhook.Body{{Subject: list[0].Contact.String(), JSON: []byte(`{"topic":"prospects"}`)}})
			if err != nil {
				return err
			}
			_, err = hooks.DeliverIn(tx, webhook.Delivery{URL: sub.CallbackURL, Lane: sub.ID.String(), Subject: list[0].Contact.String(), Event: "prospects.created",
				Policy: webhook.SalesPolicy, Shared: bodies[0]})
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	// An app that nobody has told yet, since no worker runs.
	apps := app.NewService(db, log, app.Rooms{Tenants: clients, Access: access.New(db, clients), Agents: agents, Contacts: people, Handovers: work})
	cal, _, err := apps.Register(ctx, tenantID, "system", app.NewApp{App: app.App{Developer: "acme", Key: "calendar", Name: app.Localized{"en": "Calendar"},
		BaseURL: "https://app.example.com", Scopes: []string{"sales:leads:write"}}})
	if err == nil {
		_, err = apps.Install(ctx, tenantID, "system", cal.ID, app.NewInstance{Group: shop.ID})
	}
	if err != nil {
		t.Fatal(err)
	}
	quotes := quote.NewService(db, log, people, agents, work)
	if _, err := quotes.Create(ctx, tenantID, "system", quote.New{Contact: list[0].Contact, Status: quote.Accepted, Items: []quote.Item{{Quantity: "2", Price: "0.1"}}}); err != nil {
		t.Fatal(err)
	}
	// The server's own signing key is sealed with its own key.
	tokens := token.NewService(db, clients, access.New(db, clients), token.Options{})
	if _, err := tokens.Rotate(ctx, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.Issue(ctx, tenantID, token.New{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	records := record.NewService(db, log, people)
	if _, err := records.Create(ctx, tenantID, "system", record.New{Schema: "contract", Tags: []string{"vip"}, Attributes: map[string]any{"name": "Power",
		"customer": map[string]any{"$relation": []any{map[string]any{"entity_id": list[0].Contact.UUID()}}}}}); err != nil {
		t.Fatal(err)
	}
	entities := entity.NewService(db, people, records)
	rules := automation.NewService(db, log, people, deal.NewService(db, log, people, clients), nil, hooks, clients, db.Clock())
	segments := segment.NewService(db, log, people, entities)
	if _, err := segments.Create(ctx, tenantID, "system", segment.New{Name: "everybody", Schema: entity.Contact,
		Filters: map[string]any{"filter": map[string]any{"items": []any{map[string]any{"key": "_id", "operator": "is_not_empty"}}}}}); err != nil {
		t.Fatal(err)
	}
	for busy := true; busy; { // until it is known whom it contains
		work, next, err := segments.Claim(ctx, job.Lane{Tenant: tenantID}, 1)
		if err != nil {
			t.Fatal(err)
		}
		busy = len(work) > 0 || !next.IsZero()
	}
	jobs := bulk.NewService(db, log, people, records, entities, rules)
	campaigns := campaign.NewService(db, log, campaign.Rooms{Contacts: people, Records: records, Entities: entities, Segments: segments, Automations: rules, Bulk: jobs})
	flow, err := rules.CreateFlow(ctx, tenantID, "system", map[string]any{"flow_name": "Wait", "actions": []any{map[string]any{"type": "delay", "config": map[string]any{"duration": 1.0, "unit": "days"}}}})
	if err == nil {
		_, err = jobs.Create(ctx, tenantID, "system", bulk.New{Rule: flow.Rule.ID, Refs: []entity.Ref{{Schema: entity.Contact, ID: list[0].Contact}}, Approved: true})
	}
	if err == nil { // until its run waits
		runner := job.NewRunner(db, job.Options{Node: "desks"})
		jobs.RegisterJobs(runner)
		runs, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- runner.Run(runs) }()
		eventually(t, time.Minute, "the job's run", func() (bool, string) {
			var n int
			err := db.Read(ctx, tenantID).QueryRow("SELECT COUNT(*) FROM bulk_job WHERE tenant_id=? AND status='monitoring'").Scan(&n)
			return n == 1, fmt.Sprint(err)
		})
		stop()
		<-ended
	}
	if err != nil {
		t.Fatal(err)
	}
	spring, err := campaigns.Create(ctx, tenantID, "system", campaign.New{Attributes: map[string]any{"name": "Spring"}})
	if err == nil {
		_, err = campaigns.AddRecipient(ctx, tenantID, "system", spring.ID, campaign.NewRecipient{Entity: entity.Ref{Schema: entity.Contact, ID: list[0].Contact}, PortalStatus: campaign.Seen})
	}
	if err != nil {
		t.Fatal(err)
	}
	pages := portal.NewService(db, log, nil, nil)
	if _, err := pages.Place(ctx, tenantID, "system", portal.EndCustomer, []map[string]any{
		{"id": "a", "type": portal.CampaignWidget, "listIndex": 0.0, "campaign_id": id.New().UUID()},
		{"id": "b", "type": portal.CampaignWidget, "listIndex": 1.0, "campaign_id": id.New().UUID()}}); err != nil {
		t.Fatal(err)
	}
}

// inbox uploads a file and hands a conversation from one agent to another.
func (l *load) inbox() {
	l.t.Helper()
	form := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n"
	r, err := http.NewRequest("POST", l.c.url+"/api/saas/chat/upload", strings.NewReader(form))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("x-api-key", l.c.key)
	resp, err := l.c.http.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		l.t.Fatalf("the upload answered %d", resp.StatusCode)
	}
	var talk struct {
		ID string `json:"_id"`
	}
	l.c.must(l.t, "POST", "/api/saas/chat/conversations", "", map[string]any{"phone": "+919812345678"}, &talk)
	owner := "/api/saas/chat/conversations/" + talk.ID + "/owner"
	l.c.must(l.t, "POST", owner, "", map[string]any{"action": "take", "agent": "asha"}, nil)
	l.c.must(l.t, "POST", owner, "", map[string]any{"action": "transfer", "agent": "bela"}, nil)
}

// mergeAndRefuse makes one lead of two, who refuses messages.
func (l *load) mergeAndRefuse() {
	l.t.Helper()
	var ids [2]leadRow
	for i := range ids {
		a, err := l.c.call(l.ctx, "POST", "/api/saas/crm/leads", "", map[string]any{"firstName": "Twin", "phone": fmt.Sprint("+91970000000", i)})
		if err != nil || a.status != 201 || a.data(&ids[i]) != nil {
			l.t.Fatal(err, a.status, string(a.body))
		}
	}
	path := "/api/saas/crm/leads/" + ids[1].ID
	if a, err := l.c.call(l.ctx, "PUT", path+"/consent", "", map[string]any{"channel": "email", "state": "out"}); err != nil || a.status != 200 {
		l.t.Fatal(err, a.status, string(a.body))
	}
	if a, err := l.c.call(l.ctx, "POST", path+"/merge", "", map[string]any{"leadId": ids[0].ID}); err != nil || a.status != 200 {
		l.t.Fatal(err, a.status, string(a.body))
	}
}

// TestInvariants breaks every published invariant in a copy of a healthy base
// and sees verify name it.
func TestInvariants(t *testing.T) {
	long(t)
	t.Run("sqlite", func(t *testing.T) {
		p := base(t, "")
		file := filepath.Join(p.data, "parley.db")
		each(t, func(t *testing.T) store.Options {
			at := filepath.Join(t.TempDir(), "copy.db")
			for _, suffix := range []string{"", "-wal"} {
				duplicate(t, file+suffix, at+suffix)
			}
			return store.Options{Path: at, Unsynced: true}
		})
		t.Run("command", func(t *testing.T) { named(t, p) })
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.PostgresURL(t)
		base(t, url)
		healthy := strings.TrimPrefix(url[:strings.Index(url, "?")], "postgres://postgres@/")
		each(t, func(t *testing.T) store.Options {
			ctx, name := context.Background(), "c"+id.New().String()
			if err := store.Admin(ctx, strings.Replace(url, healthy, "postgres", 1), "CREATE DATABASE "+name+" TEMPLATE "+healthy+" STRATEGY file_copy"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = store.Admin(ctx, strings.Replace(url, healthy, "postgres", 1), "DROP DATABASE "+name+" WITH (FORCE)")
			})
			return store.Options{URL: strings.Replace(url, healthy, name, 1), MaxConns: 2}
		})
	})
}

func each(t *testing.T, copied func(t *testing.T) store.Options) {
	t.Run("healthy", func(t *testing.T) {
		if rep := verified(t, copied(t), ""); !rep.OK || rep.Checked != len(verify.Invariants) {
			t.Errorf("the healthy base: %+v", rep)
		}
	})
	for _, inv := range verify.Invariants {
		if len(corruptions[inv.Name]) == 0 {
			t.Errorf("%s has no corruption here: nothing proves that verify would see it broken", inv.Name)
		}
		for i, q := range corruptions[inv.Name] {
			t.Run(fmt.Sprint(inv.Name, "/", i+1), func(t *testing.T) {
				rep := verified(t, copied(t), q)
				if rep.OK || !slices.Contains(rep.Broken, inv.Name) {
					t.Errorf("%s: verify names %v", q, rep.Broken)
				}
				if !slices.ContainsFunc(rep.Breaks, func(b verify.Break) bool { return b.Invariant == inv.Name && b.Tenant != "" && b.Row != "" }) {
					t.Errorf("no row of %s is named: %+v", inv.Name, rep.Breaks)
				}
			})
		}
	}
	for name := range corruptions {
		if !slices.ContainsFunc(verify.Invariants, func(i verify.Invariant) bool { return i.Name == name }) {
			t.Errorf("there is a corruption for %s, which is no published invariant", name)
		}
	}
}

// verified applies statements to a copy and verifies it.
func verified(t *testing.T, o store.Options, statements string) verify.Report {
	t.Helper()
	ctx := context.Background()
	db := opened(t, o)
	defer db.Close()
	for _, q := range strings.Split(statements, ";") {
		if strings.TrimSpace(q) == "" {
			continue
		}
		n, err := store.Write(ctx, db, id.Zero, func(tx *store.Tx) (int64, error) { return tx.System().Exec(q) })
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if n == 0 && !strings.HasPrefix(q, "DROP") {
			t.Fatalf("%s: the base has no such row", q)
		}
	}
	rep, err := verify.Run(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// named checks the command on a broken base: it fails and names the invariant.
func named(t *testing.T, p *proc) {
	verified(t, p.options(), corruptions["run-steps"][0])
	out, bad, err := p.try(nil, "verify")
	if err == nil || !contains(bad, "broken", "run-steps") || !contains(out, "run-steps") || strings.Contains(bad, "\n") {
		t.Errorf("parley verify of a broken base: %v\n%s\n%s", err, out, bad)
	}
}
