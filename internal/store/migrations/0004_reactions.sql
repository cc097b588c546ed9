-- Automations and their runs, trigger calls, webhook deliveries.
-- +goose Up

-- A rule. definition is the form its author sent, kept whole; graph is what it
-- compiles to. A change makes a new version; runs keep the version they began with.
CREATE TABLE automation (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  trigger_name TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  version INTEGER NOT NULL,
  definition JSON NOT NULL,
  runs_started BIGINT NOT NULL,
  runs_open BIGINT NOT NULL,
  runs_completed BIGINT NOT NULL,
  last_run_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX automation_by_trigger ON automation (tenant_id, trigger_name) WHERE is_active;

CREATE TABLE automation_version (
  tenant_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  graph JSON NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, automation_id, version)
);

-- One walk of a contact through a rule. cause names what started it: the same
-- cause never starts the same rule twice. turns counts its branches, ever.
CREATE TABLE run (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  contact_id TEXT NOT NULL,
  trigger_id TEXT,
  trigger_name TEXT NOT NULL,
  cause TEXT NOT NULL,
  status TEXT NOT NULL,
  steps INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  variables JSON NOT NULL,
  error TEXT,
  started_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  completed_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX run_cause ON run (tenant_id, automation_id, cause);
CREATE INDEX run_by_rule ON run (tenant_id, automation_id, started_at, id);
CREATE INDEX run_by_trigger ON run (tenant_id, trigger_id);

-- Where an open run stands: one row per branch, which is either ready to begin
-- its node or waits in it, until resume_at, for wait_key, or for whichever comes
-- first. A row is never changed: whoever moves the branch deletes it and writes
-- the next turn, so a late timer finds nothing.
CREATE TABLE run_branch (
  tenant_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  turn INTEGER NOT NULL,
  node TEXT NOT NULL,
  state TEXT NOT NULL,
  step INTEGER NOT NULL,
  wait_key TEXT,
  resume_at BIGINT,
  since BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, run_id, turn)
);
CREATE INDEX run_branch_waiting ON run_branch (tenant_id, wait_key) WHERE wait_key IS NOT NULL;

CREATE TABLE run_step (
  tenant_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  output JSON,
  error TEXT,
  started_at BIGINT NOT NULL,
  completed_at BIGINT,
  PRIMARY KEY (tenant_id, run_id, position)
);

-- One row per trigger call: what came in, what it set off, how it ended.
CREATE TABLE trigger_log (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  trigger_name TEXT NOT NULL,
  phone TEXT NOT NULL,
  email TEXT NOT NULL,
  contact_id TEXT,
  status TEXT NOT NULL,
  rules_matched INTEGER NOT NULL,
  runs_open INTEGER NOT NULL,
  runs_failed INTEGER NOT NULL,
  payload JSON NOT NULL,
  callback JSON,
  callback_status TEXT NOT NULL,
  idempotency_key TEXT,
  error TEXT,
  run_at BIGINT,
  processed_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX trigger_log_key ON trigger_log (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX trigger_log_recent ON trigger_log (tenant_id, created_at, id);

-- One row per webhook delivery. endpoint is the lane: deliveries of one
-- (endpoint, subject) go one after the other.
CREATE TABLE webhook_delivery (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  subject TEXT NOT NULL,
  url TEXT NOT NULL,
  method TEXT NOT NULL,
  event TEXT NOT NULL,
  policy TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  lease_until BIGINT,
  response_status INTEGER,
  response_body TEXT,
  last_error TEXT,
  signature TEXT,
  trigger_id TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX webhook_due ON webhook_delivery (next_at) WHERE state = 'pending';
CREATE INDEX webhook_lane ON webhook_delivery (tenant_id, endpoint, next_at, id) WHERE state = 'pending';
CREATE INDEX webhook_open ON webhook_delivery (tenant_id, endpoint, subject, id) WHERE state IN ('pending', 'sending');
CREATE INDEX webhook_leased ON webhook_delivery (lease_until) WHERE state = 'sending';
CREATE INDEX webhook_by_trigger ON webhook_delivery (tenant_id, trigger_id) WHERE trigger_id IS NOT NULL;

-- +goose Down
DROP TABLE webhook_delivery;
DROP TABLE trigger_log;
DROP TABLE run_step;
DROP TABLE run_branch;
DROP TABLE run;
DROP TABLE automation_version;
DROP TABLE automation;
