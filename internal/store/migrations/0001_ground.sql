-- The ground: the feed of events, jobs, lanes, idempotency records.
-- Types TEXT, JSON and BYTES are translated per dialect; a line that begins with
-- @sqlite or @postgres belongs to that dialect alone. Times are Unix milliseconds.
-- +goose Up

-- The feed: ids and field names, no personal values. xid orders it on PostgreSQL,
-- where transactions commit out of the order of seq.
CREATE TABLE event (
  @sqlite seq INTEGER PRIMARY KEY AUTOINCREMENT,
  @postgres seq BIGINT GENERATED ALWAYS AS IDENTITY,
  tenant_id TEXT NOT NULL,
  xid BIGINT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  contact_id TEXT,
  changed JSON,
  actor TEXT NOT NULL,
  cause TEXT,
  @postgres PRIMARY KEY (tenant_id, seq),
  at BIGINT NOT NULL
);
CREATE INDEX event_feed ON event (xid, seq);
CREATE INDEX event_by_tenant ON event (tenant_id, xid, seq);

-- Jobs: one row per unit of background work (docs/state-machines.md).
CREATE TABLE job (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  unique_key TEXT,
  args JSON NOT NULL,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  run_at BIGINT NOT NULL,
  lease_until BIGINT,
  node TEXT,
  cancel_requested BOOLEAN NOT NULL,
  last_error TEXT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX job_ready ON job (tenant_id, priority, run_at, id) WHERE state = 'available';
CREATE INDEX job_due ON job (run_at) WHERE state IN ('scheduled', 'retryable');
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_failed ON job (tenant_id, finished_at) WHERE state = 'discarded';
-- One unfinished job per key: a second enqueue finds the first.
CREATE UNIQUE INDEX job_unique ON job (tenant_id, kind, unique_key)
  WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'running', 'retryable');

-- When each cron entry is due next; whoever moves next_at forward enqueues it.
CREATE TABLE job_cron (
  name TEXT PRIMARY KEY,
  next_at BIGINT NOT NULL
);

-- Who drains which lane of which ledger (docs/decisions/0004-lanes.md).
CREATE TABLE lane (
  tenant_id TEXT NOT NULL,
  ledger TEXT NOT NULL,
  lane TEXT NOT NULL,
  holder TEXT NOT NULL,
  lease_until BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, ledger, lane)
);

-- The answer that a request with an idempotency key got, kept 24 hours.
CREATE TABLE idempotency (
  tenant_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  token TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  status INTEGER NOT NULL,
  header JSON,
  body TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, key_id, token, method, path)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- What the whole installation must agree on, such as the sealing key.
CREATE TABLE installation (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- +goose Down
DROP TABLE installation;
DROP TABLE idempotency;
DROP TABLE lane;
DROP TABLE job_cron;
DROP TABLE job;
DROP TABLE event;
