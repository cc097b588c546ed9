-- Event definitions, why rules did not start, rules that stages own, retention.
-- +goose Up

-- What a tenant says about an event of its own (reference 3.12): where the
-- people of such a call begin, which trigger it also stands for, what its payload
-- must hold. One row per name, also while it is switched off.
CREATE TABLE event_definition (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  payload_schema JSON,
  is_active BOOLEAN NOT NULL,
  is_system BOOLEAN NOT NULL,
  maps_to TEXT NOT NULL,
  pipeline_id TEXT,
  stage_id TEXT,
  default_source TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX event_definition_name ON event_definition (tenant_id, name);

-- Why an active rule whose trigger matched did not start: one row per rule and
-- cause, written with the decision itself. A rule that started has its run instead.
CREATE TABLE rule_decision (
  tenant_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  cause TEXT NOT NULL,
  version INTEGER NOT NULL,
  contact_id TEXT NOT NULL,
  trigger_id TEXT,
  trigger_name TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail JSON,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, automation_id, cause)
);
CREATE INDEX rule_decision_by_contact ON rule_decision (tenant_id, automation_id, contact_id, at);
CREATE INDEX rule_decision_age ON rule_decision (at);

-- A rule may belong to something else, such as a stage whose autoActions it
-- carries out: origin names the kind, origin_id the row. Its author's rules have ''.
-- runs_pruned and completed_pruned are how many of its runs were swept away, so
-- that its counters still agree with the rows.
ALTER TABLE automation ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE automation ADD COLUMN origin_id TEXT;
ALTER TABLE automation ADD COLUMN runs_pruned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE automation ADD COLUMN completed_pruned BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX automation_origin ON automation (tenant_id, origin, origin_id) WHERE origin <> '';

-- How far the sweep for quiet people has come, per rule: everybody whose last
-- contact lies at or before (reached_at, reached_id) has had this rule's turn.
CREATE TABLE quiet_sweep (
  tenant_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  reached_at BIGINT NOT NULL,
  reached_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, automation_id)
);
CREATE INDEX contact_quiet ON contact (tenant_id, (COALESCE(last_contacted_at, created_at)), id);

-- Trigger calls are found by the phone in its normal form; statistics come from
-- one index alone.
ALTER TABLE trigger_log ADD COLUMN phone_key TEXT;
-- (Of earlier calls the digits that were sent, which is all that is known here.)
UPDATE trigger_log SET phone_key=REPLACE(REPLACE(REPLACE(phone, '+', ''), ' ', ''), '-', '') WHERE phone<>'';
CREATE INDEX trigger_log_by_phone ON trigger_log (tenant_id, phone_key, created_at, id);
CREATE INDEX trigger_log_by_name ON trigger_log (tenant_id, trigger_name, created_at, id);
-- Completed calls are the many; the few others are found by their status.
CREATE INDEX trigger_log_by_status ON trigger_log (tenant_id, status, created_at, id) WHERE status <> 'completed';
CREATE INDEX trigger_log_figures ON trigger_log (tenant_id, created_at, trigger_name, status);

-- Deliveries are listed newest first; retention goes by when a row was done.
CREATE INDEX webhook_recent ON webhook_delivery (tenant_id, created_at, id);
CREATE INDEX webhook_by_state ON webhook_delivery (tenant_id, state, created_at, id) WHERE state <> 'sent';
CREATE INDEX webhook_done ON webhook_delivery (updated_at) WHERE state IN ('sent', 'failed');
-- What a rule last made of a person.
CREATE INDEX run_of_contact ON run (tenant_id, automation_id, contact_id, started_at, id);
CREATE INDEX run_done ON run (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX trigger_log_done ON trigger_log (processed_at) WHERE processed_at IS NOT NULL;

-- +goose Down
DROP INDEX trigger_log_done;
DROP INDEX run_done;
DROP INDEX run_of_contact;
DROP INDEX webhook_done;
DROP INDEX webhook_by_state;
DROP INDEX webhook_recent;
DROP INDEX trigger_log_figures;
DROP INDEX trigger_log_by_status;
DROP INDEX trigger_log_by_name;
DROP INDEX trigger_log_by_phone;
ALTER TABLE trigger_log DROP COLUMN phone_key;
DROP INDEX contact_quiet;
DROP TABLE quiet_sweep;
DROP INDEX automation_origin;
ALTER TABLE automation DROP COLUMN completed_pruned;
ALTER TABLE automation DROP COLUMN runs_pruned;
ALTER TABLE automation DROP COLUMN origin_id;
ALTER TABLE automation DROP COLUMN origin;
DROP TABLE rule_decision;
DROP TABLE event_definition;
