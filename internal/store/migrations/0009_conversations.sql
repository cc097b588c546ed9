-- Files of messages, who owns a conversation, what a message is for, and the
-- rest of a template.
-- +goose Up

-- A file: one that somebody uploaded here, or one that a contact sent. Its
-- bytes lie in media_chunk, so that a backup, a restore and a replica have them.
-- state: writing (its chunks are on their way in), ready.
CREATE TABLE media (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  mime TEXT NOT NULL,
  filename TEXT NOT NULL,
  origin TEXT NOT NULL,
  state TEXT NOT NULL,
  size BIGINT NOT NULL,
  chunks INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  check_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
-- A link names the file and not the tenant.
CREATE INDEX media_by_id ON media (id);
-- The sweep asks of each, when its time has come, whether anybody still uses it.
CREATE INDEX media_check ON media (check_at);

CREATE TABLE media_chunk (
  tenant_id TEXT NOT NULL,
  media_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  @sqlite data BLOB NOT NULL,
  @postgres data BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, media_id, n)
);

-- Pictures do not shrink: compressing them again only costs time.
@postgres ALTER TABLE media_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- A file that the provider of an account has already, until it forgets it.
CREATE TABLE media_upload (
  tenant_id TEXT NOT NULL,
  media_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, media_id, account_id)
);

-- The file of a message, when it is kept here.
ALTER TABLE message ADD COLUMN media_id TEXT;
CREATE INDEX message_media ON message (tenant_id, media_id) WHERE media_id IS NOT NULL;

-- Who answers in a conversation (docs/state-machines.md). The version counts the
-- moves; each has its row in the log. Version 0 is where every conversation begins.
ALTER TABLE conversation ADD COLUMN owner_kind TEXT NOT NULL DEFAULT 'bot';
ALTER TABLE conversation ADD COLUMN owner_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN owner_since BIGINT;
ALTER TABLE conversation ADD COLUMN owner_version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversation_owned ON conversation (tenant_id, owner_kind, owner_agent, last_message_at, id);
-- Conversations with nobody we know: a contact that appears looks here.
CREATE INDEX conversation_unlinked ON conversation (tenant_id, channel, address) WHERE contact_id IS NULL;

CREATE TABLE conversation_owner_log (
  tenant_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  move TEXT NOT NULL,
  from_kind TEXT NOT NULL,
  from_agent TEXT NOT NULL,
  kind TEXT NOT NULL,
  agent TEXT NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, conversation_id, version)
);

-- E-mail templates have a subject.
ALTER TABLE template ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE template ADD COLUMN content_type TEXT NOT NULL DEFAULT '';
ALTER TABLE template ADD COLUMN attachments JSON;
ALTER TABLE template ADD COLUMN mapped_at BIGINT;

-- +goose Down
ALTER TABLE template DROP COLUMN mapped_at;
ALTER TABLE template DROP COLUMN attachments;
ALTER TABLE template DROP COLUMN content_type;
ALTER TABLE template DROP COLUMN subject;
DROP TABLE conversation_owner_log;
DROP INDEX conversation_unlinked;
DROP INDEX conversation_owned;
ALTER TABLE conversation DROP COLUMN owner_version;
ALTER TABLE conversation DROP COLUMN owner_since;
ALTER TABLE conversation DROP COLUMN owner_agent;
ALTER TABLE conversation DROP COLUMN owner_kind;
DROP INDEX message_media;
ALTER TABLE message DROP COLUMN media_id;
DROP TABLE media_upload;
DROP TABLE media_chunk;
DROP TABLE media;
