-- Campaigns over a target's entities, and who received what.
-- +goose Up

-- A campaign of kind target: its audience is what the target's filters match. What
-- its author wrote besides the columns is in attributes.
CREATE TABLE campaign (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  goal TEXT NOT NULL,
  status TEXT NOT NULL,
  start_date TEXT NOT NULL,
  end_date TEXT NOT NULL,
  flow_id TEXT NOT NULL, -- as it was written
  job_id TEXT, -- the bulk job of the last activation
  job_token TEXT, -- what approves or cancels that job, while it is under way
  target JSON NOT NULL, -- the relation as it was written
  target_id TEXT, -- the target that it leads to
  next_best_action JSON,
  tags JSON,
  attributes JSON NOT NULL,
  owner_id TEXT,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  purged_at BIGINT, -- a job is taking its recipients away
  PRIMARY KEY (tenant_id, id)
);
-- The campaigns that may be discovered: those that are active and say what to do next.
CREATE INDEX campaign_discover ON campaign (tenant_id, id) WHERE status = 'active' AND next_best_action IS NOT NULL AND deleted_at IS NULL;

-- An entity that a campaign reached. '' is a status that it does not have.
CREATE TABLE campaign_recipient (
  tenant_id TEXT NOT NULL,
  campaign_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  title TEXT NOT NULL,
  folded TEXT NOT NULL, -- the title as it is searched
  automation_status TEXT NOT NULL,
  run_id TEXT, -- whose status it follows
  execution TEXT, -- what a caller wrote instead
  starts INTEGER NOT NULL, -- how often it was started; names the cause of the next run
  portal_status TEXT NOT NULL,
  portal_at BIGINT,
  portal_state JSON,
  ui_status TEXT NOT NULL,
  ui_at BIGINT,
  ui_before TEXT, -- what the status was before it was dismissed
  merged_into TEXT, -- the recipient of the same person who is listed instead
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id, entity_id)
);
-- A list merges one walk of this index for each pair of statuses that it shows.
CREATE INDEX campaign_recipient_list ON campaign_recipient (tenant_id, campaign_id, automation_status, portal_status, created_at, entity_id) WHERE merged_into IS NULL;
CREATE INDEX campaign_recipient_entity ON campaign_recipient (tenant_id, entity_id, campaign_id);
CREATE INDEX campaign_recipient_run ON campaign_recipient (tenant_id, run_id) WHERE run_id IS NOT NULL;

-- How many recipients a campaign has in each pair of statuses. Triggers keep it, and
-- on PostgreSQL a row has a slot for each connection, as deal_tally (0006).
CREATE TABLE campaign_tally (
  tenant_id TEXT NOT NULL,
  campaign_id TEXT NOT NULL,
  automation_status TEXT NOT NULL,
  portal_status TEXT NOT NULL,
  slot INTEGER NOT NULL,
  recipients BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id, automation_status, portal_status, slot)
);

-- +goose StatementBegin
@sqlite CREATE TRIGGER campaign_tally_insert AFTER INSERT ON campaign_recipient WHEN NEW.merged_into IS NULL BEGIN
@sqlite   INSERT INTO campaign_tally VALUES (NEW.tenant_id, NEW.campaign_id, NEW.automation_status, NEW.portal_status, 0, 1)
@sqlite   ON CONFLICT (tenant_id, campaign_id, automation_status, portal_status, slot) DO UPDATE SET recipients=recipients+1;
@sqlite END;
@postgres CREATE FUNCTION campaign_tally_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO campaign_tally AS t SELECT tenant_id, campaign_id, automation_status, portal_status, pg_backend_pid() % 64, COUNT(*)
@postgres     FROM fresh WHERE merged_into IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, campaign_id, automation_status, portal_status, slot) DO UPDATE SET recipients=t.recipients+excluded.recipients;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

-- +goose StatementBegin
@sqlite CREATE TRIGGER campaign_tally_delete AFTER DELETE ON campaign_recipient WHEN OLD.merged_into IS NULL BEGIN
@sqlite   UPDATE campaign_tally SET recipients=recipients-1
@sqlite   WHERE tenant_id=OLD.tenant_id AND campaign_id=OLD.campaign_id AND automation_status=OLD.automation_status AND portal_status=OLD.portal_status AND slot=0;
@sqlite END;
@postgres CREATE FUNCTION campaign_tally_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO campaign_tally AS t SELECT tenant_id, campaign_id, automation_status, portal_status, pg_backend_pid() % 64, -COUNT(*)
@postgres     FROM stale WHERE merged_into IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, campaign_id, automation_status, portal_status, slot) DO UPDATE SET recipients=t.recipients+excluded.recipients;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

-- +goose StatementBegin
@sqlite CREATE TRIGGER campaign_tally_update AFTER UPDATE OF automation_status, portal_status, merged_into ON campaign_recipient
@sqlite WHEN OLD.automation_status<>NEW.automation_status OR OLD.portal_status<>NEW.portal_status OR (OLD.merged_into IS NULL)<>(NEW.merged_into IS NULL) BEGIN
@sqlite   UPDATE campaign_tally SET recipients=recipients-1 WHERE OLD.merged_into IS NULL
@sqlite   AND tenant_id=OLD.tenant_id AND campaign_id=OLD.campaign_id AND automation_status=OLD.automation_status AND portal_status=OLD.portal_status AND slot=0;
@sqlite   INSERT INTO campaign_tally SELECT NEW.tenant_id, NEW.campaign_id, NEW.automation_status, NEW.portal_status, 0, 1 WHERE NEW.merged_into IS NULL
@sqlite   ON CONFLICT (tenant_id, campaign_id, automation_status, portal_status, slot) DO UPDATE SET recipients=recipients+1;
@sqlite END;
@postgres CREATE FUNCTION campaign_tally_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO campaign_tally AS t SELECT tenant_id, campaign_id, automation_status, portal_status, pg_backend_pid() % 64, SUM(n)
@postgres     FROM (SELECT *, 1 AS n FROM fresh UNION ALL SELECT *, -1 AS n FROM stale) AS both_ WHERE merged_into IS NULL
@postgres     GROUP BY 1, 2, 3, 4 HAVING SUM(n) <> 0 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, campaign_id, automation_status, portal_status, slot) DO UPDATE SET recipients=t.recipients+excluded.recipients;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

@postgres CREATE TRIGGER campaign_tally_insert AFTER INSERT ON campaign_recipient REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION campaign_tally_insert();
@postgres CREATE TRIGGER campaign_tally_delete AFTER DELETE ON campaign_recipient REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION campaign_tally_delete();
@postgres CREATE TRIGGER campaign_tally_update AFTER UPDATE ON campaign_recipient REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION campaign_tally_update();

-- +goose Down
@sqlite DROP TRIGGER campaign_tally_update;
@sqlite DROP TRIGGER campaign_tally_delete;
@sqlite DROP TRIGGER campaign_tally_insert;
@postgres DROP TRIGGER campaign_tally_update ON campaign_recipient;
@postgres DROP TRIGGER campaign_tally_delete ON campaign_recipient;
@postgres DROP TRIGGER campaign_tally_insert ON campaign_recipient;
@postgres DROP FUNCTION campaign_tally_update();
@postgres DROP FUNCTION campaign_tally_delete();
@postgres DROP FUNCTION campaign_tally_insert();
DROP TABLE campaign_tally;
DROP TABLE campaign_recipient;
DROP TABLE campaign;
