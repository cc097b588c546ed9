-- Tenants and their keys; contacts, identities, consent, the timeline; pipelines and deals.
-- +goose Up
CREATE TABLE tenant (
  tenant_id TEXT PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  settings JSON NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- Secrets of a tenant, sealed with AES-256-GCM; never exported, never logged.
CREATE TABLE tenant_secret (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);

-- Keys of the faces. Only the SHA-256 of a key is stored.
CREATE TABLE access_key (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  face TEXT NOT NULL,
  scopes JSON NOT NULL,
  group_id TEXT,
  user_id TEXT,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);

-- Connected accounts of messaging providers. external_id is the provider's name
-- for the account; a webhook finds its tenant by it. Until paused_until nothing
-- leaves through the account, because its provider said so.
CREATE TABLE channel_account (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  external_id TEXT NOT NULL,
  settings JSON NOT NULL,
  sealed TEXT NOT NULL,
  paused_until BIGINT,
  paused_for TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX channel_account_external ON channel_account (kind, external_id);

-- The person.
CREATE TABLE contact (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  search_name TEXT NOT NULL,
  source TEXT NOT NULL,
  assigned_to TEXT,
  refs JSON NOT NULL,
  extra JSON NOT NULL,
  attributes JSON NOT NULL,
  score INTEGER NOT NULL,
  last_contacted_at BIGINT,
  archived_at BIGINT,
  erased_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX contact_created ON contact (tenant_id, created_at, id);
CREATE INDEX contact_updated ON contact (tenant_id, updated_at, id);
CREATE INDEX contact_score ON contact (tenant_id, score, id);
CREATE INDEX contact_contacted ON contact (tenant_id, (COALESCE(last_contacted_at, 0)), id);

-- Phones and e-mails. A claimed identity belongs to one contact of the tenant;
-- an e-mail that another contact claims is kept unclaimed.
CREATE TABLE identity (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  raw TEXT NOT NULL,
  is_primary BOOLEAN NOT NULL,
  claimed BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, kind, value)
);
CREATE UNIQUE INDEX identity_claim ON identity (tenant_id, kind, value) WHERE claimed;
CREATE INDEX identity_value ON identity (tenant_id, kind, value);

CREATE TABLE contact_tag (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, tag)
);
CREATE INDEX contact_tag_by_tag ON contact_tag (tenant_id, tag, contact_id);

-- The present consent of a contact for a channel; no row means not asked.
CREATE TABLE consent (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, channel)
);

-- The timeline.
CREATE TABLE activity (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  metadata JSON NOT NULL,
  performed_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX activity_by_contact ON activity (tenant_id, contact_id, created_at, id);

CREATE TABLE pipeline (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  position INTEGER NOT NULL,
  is_default BOOLEAN NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX pipeline_default ON pipeline (tenant_id) WHERE is_default;

CREATE TABLE stage (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  pipeline_id TEXT NOT NULL,
  name TEXT NOT NULL,
  color TEXT NOT NULL,
  position INTEGER NOT NULL,
  probability INTEGER NOT NULL,
  is_default BOOLEAN NOT NULL,
  is_won BOOLEAN NOT NULL,
  is_lost BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX stage_by_pipeline ON stage (tenant_id, pipeline_id, position);

-- A deal stands in one stage. The primary deal of a contact is what the platform
-- API shows as a lead's stage and value.
CREATE TABLE deal (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  pipeline_id TEXT NOT NULL,
  stage_id TEXT NOT NULL,
  status TEXT NOT NULL,
  title TEXT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  currency TEXT NOT NULL,
  is_primary BOOLEAN NOT NULL,
  entered_stage_at BIGINT NOT NULL,
  converted_at BIGINT,
  archived_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX deal_primary ON deal (tenant_id, contact_id) WHERE is_primary;
CREATE INDEX deal_board ON deal (tenant_id, pipeline_id, stage_id, updated_at, id);
CREATE INDEX deal_value ON deal (tenant_id, value, contact_id);
-- Counts and sums of lists and boards come from this index alone (is_primary is
-- in it because SQLite looks at the condition again).
CREATE INDEX deal_totals ON deal (tenant_id, status, pipeline_id, stage_id, value, is_primary) WHERE is_primary;

CREATE TABLE deal_stage (
  tenant_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  stage_id TEXT NOT NULL,
  entered_at BIGINT NOT NULL,
  left_at BIGINT,
  PRIMARY KEY (tenant_id, deal_id, position)
);

-- +goose Down
DROP TABLE deal_stage;
DROP TABLE deal;
DROP TABLE stage;
DROP TABLE pipeline;
DROP TABLE activity;
DROP TABLE consent;
DROP TABLE contact_tag;
DROP TABLE identity;
DROP TABLE contact;
DROP TABLE channel_account;
DROP TABLE access_key;
DROP TABLE tenant_secret;
DROP TABLE tenant;
