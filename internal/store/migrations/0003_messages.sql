-- Conversations, messages, templates, and the outbox: the one gate outwards.
-- +goose Up
CREATE TABLE conversation (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT,
  channel TEXT NOT NULL,
  account_id TEXT,
  address TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  unread INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  last_message_id TEXT,
  last_message_at BIGINT,
  last_inbound_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX conversation_address ON conversation (tenant_id, channel, address);
CREATE INDEX conversation_recent ON conversation (tenant_id, last_message_at, id);
CREATE INDEX conversation_by_contact ON conversation (tenant_id, contact_id);

CREATE TABLE message (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  contact_id TEXT,
  direction TEXT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  media JSON,
  template JSON,
  provider_id TEXT,
  reply_to TEXT,
  reply_to_provider TEXT,
  sent_by TEXT NOT NULL,
  status TEXT NOT NULL,
  history JSON NOT NULL,
  error JSON,
  reactions JSON,
  metadata JSON,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX message_by_conversation ON message (tenant_id, conversation_id, created_at, id);
-- A provider's message is stored once, however often its webhook arrives.
CREATE UNIQUE INDEX message_provider ON message (tenant_id, provider_id) WHERE provider_id IS NOT NULL;

CREATE TABLE template (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  name TEXT NOT NULL,
  language TEXT NOT NULL,
  provider_id TEXT,
  status TEXT NOT NULL,
  category TEXT NOT NULL,
  header_type TEXT NOT NULL,
  header_text TEXT NOT NULL,
  body_text TEXT NOT NULL,
  footer_text TEXT NOT NULL,
  buttons JSON NOT NULL,
  components JSON,
  variables INTEGER NOT NULL,
  mapping JSON NOT NULL,
  mapping_status TEXT NOT NULL,
  on_empty TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  last_synced_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX template_name ON template (tenant_id, channel, name, language);

-- One row per outgoing message, from the promise to the provider's answer; id is
-- the message's. attempt fences the answers, failures counts those that speak
-- against the message itself, tried_at is when it was last handed over.
-- states: queued, sending, unknown, sent, failed, cancelled (docs/state-machines.md).
CREATE TABLE outbox (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  contact_id TEXT,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  lease_until BIGINT,
  tried_at BIGINT,
  sending JSON NOT NULL,
  last_error TEXT,
  queued_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'queued';
CREATE INDEX outbox_lane ON outbox (tenant_id, account_id, next_at, id) WHERE state = 'queued';
CREATE INDEX outbox_open ON outbox (tenant_id, conversation_id, id) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX outbox_recent ON outbox (tenant_id, conversation_id, tried_at) WHERE tried_at IS NOT NULL;
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'sending';
CREATE INDEX outbox_unknown ON outbox (tenant_id, updated_at) WHERE state = 'unknown';

-- +goose Down
DROP TABLE outbox;
DROP TABLE template;
DROP TABLE message;
DROP TABLE conversation;
