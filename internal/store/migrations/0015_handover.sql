-- Who works on which contact, every move of that, and the words of it.
-- +goose Up

-- One row per contact. version counts the moves: each is a row of handover_log.
CREATE TABLE handover (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  initial_group_id TEXT NOT NULL,
  agent_id TEXT,
  status TEXT NOT NULL,
  held_status TEXT NOT NULL,
  label TEXT NOT NULL,
  category TEXT NOT NULL,
  archiving_reason TEXT NOT NULL,
  user_made BOOLEAN NOT NULL,
  assigned_at BIGINT,
  claimed_at BIGINT,
  transferred_at BIGINT,
  first_contacted_at BIGINT,
  archived_at BIGINT,
  next_reminder BIGINT,
  absence_sent_at BIGINT,
  active_at BIGINT NOT NULL,
  offer_agent_id TEXT,
  offer_until BIGINT,
  offered JSON NOT NULL,
  version INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id)
);
-- Lists go from the newest contact to the oldest.
CREATE INDEX handover_created ON handover (tenant_id, created_at, contact_id);
CREATE INDEX handover_status ON handover (tenant_id, status, created_at, contact_id);
CREATE INDEX handover_group ON handover (tenant_id, group_id, status, created_at, contact_id);
CREATE INDEX handover_agent ON handover (tenant_id, agent_id, created_at, contact_id) WHERE agent_id IS NOT NULL;
CREATE INDEX handover_claimed ON handover (tenant_id, claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX handover_transferred ON handover (tenant_id, transferred_at) WHERE transferred_at IS NOT NULL;
CREATE INDEX handover_label ON handover (tenant_id, label, created_at, contact_id) WHERE label <> '';
CREATE INDEX handover_category ON handover (tenant_id, category, created_at, contact_id);
-- Who has been quiet for long.
CREATE INDEX handover_quiet ON handover (tenant_id, group_id, active_at) WHERE status <> 'archived';

-- Every move, under the id that the contact had then. changes lists the fields
-- with what they were and what they are.
CREATE TABLE handover_log (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  move TEXT NOT NULL,
  status TEXT NOT NULL,
  group_id TEXT NOT NULL,
  agent_id TEXT,
  changes JSON NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, version)
);

-- The vocabularies of a tenant; one without rows has the default words.
CREATE TABLE handover_word (
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  word TEXT NOT NULL,
  name TEXT NOT NULL,
  snooze BOOLEAN NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, kind, word)
);

-- +goose Down
DROP TABLE handover_word;
DROP TABLE handover_log;
DROP TABLE handover;
