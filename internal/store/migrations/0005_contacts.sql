-- Merges, consent per purpose with its log, notes, inquiries, and the indexes by
-- which people are found: words of their names and their references.
-- +goose Up

-- Where the ids of merged contacts lead. Flat: contact_id is always a row of
-- contact, never an old id.
CREATE TABLE contact_alias (
  tenant_id TEXT NOT NULL,
  old_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, old_id)
);
CREATE INDEX contact_alias_by_contact ON contact_alias (tenant_id, contact_id);

-- The ledger of merges. The row of the merged contact leaves the table contact,
-- so that no list has to pass over it, and is kept here whole: before holds both
-- contacts as they were, after the survivor as the merge left it, moved what went
-- over, by room. position counts the merges of a survivor from 1.
CREATE TABLE contact_merge (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  survivor_id TEXT NOT NULL,
  merged_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  actor TEXT NOT NULL,
  survivor_before JSON NOT NULL,
  merged_before JSON NOT NULL,
  survivor_after JSON NOT NULL,
  moved JSON NOT NULL,
  merged_at BIGINT NOT NULL,
  undone_at BIGINT,
  undone_by TEXT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX contact_merge_position ON contact_merge (tenant_id, survivor_id, position);
CREATE INDEX contact_merge_merged ON contact_merge (tenant_id, merged_id);

-- The present consent of a contact for a channel and a purpose; no row means not
-- asked. position is its newest row of the log.
CREATE TABLE contact_consent (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  at BIGINT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, channel, purpose)
);

-- Every change of a consent. position grows per contact, channel and purpose.
CREATE TABLE consent_log (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, channel, purpose, position)
);
CREATE INDEX consent_log_recent ON consent_log (tenant_id, contact_id, recorded_at);

-- What was said before purposes were told apart holds for both of them. The table
-- consent stays, unused, until a later release drops it.
INSERT INTO contact_consent (tenant_id, contact_id, channel, purpose, state, source, at, position)
  SELECT tenant_id, contact_id, channel, 'marketing', state, source, at, 1 FROM consent
  UNION ALL SELECT tenant_id, contact_id, channel, 'service', state, source, at, 1 FROM consent;
INSERT INTO consent_log (tenant_id, contact_id, channel, purpose, position, state, source, actor, at, recorded_at)
  SELECT tenant_id, contact_id, channel, purpose, position, state, source, 'system', at, at FROM contact_consent;

CREATE TABLE note (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  content TEXT NOT NULL,
  pinned BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX note_by_contact ON note (tenant_id, contact_id, pinned, created_at, id);

-- A person who came to us once more: a form, a lead of a portal, a click on an ad.
CREATE TABLE inquiry (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  face TEXT NOT NULL,
  kind TEXT NOT NULL,
  source TEXT NOT NULL,
  data JSON NOT NULL,
  dedupe_key TEXT,
  at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX inquiry_by_contact ON inquiry (tenant_id, contact_id, at, id);
CREATE UNIQUE INDEX inquiry_once ON inquiry (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL;

-- The folded words of a contact's name, and "@" with the domain of its e-mails.
CREATE TABLE contact_word (
  tenant_id TEXT NOT NULL,
  word TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, word, contact_id)
@postgres );
@sqlite ) WITHOUT ROWID;

-- The references of a contact, as they stand in contact.refs.
CREATE TABLE contact_ref (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, name, value, contact_id)
@postgres );
@sqlite ) WITHOUT ROWID;

-- Contacts that were there before get their words and references by a job.
INSERT INTO job (tenant_id, id, kind, state, priority, unique_key, args, attempt, max_attempts, run_at, cancel_requested, created_at)
  SELECT t.tenant_id,
  @sqlite lower(hex(randomblob(12))),
  @postgres substr(md5(random()::text || t.tenant_id), 1, 24),
  'contact.index', 'available', 8, 'contact.index', '{}', 0, 20, t.created_at, FALSE, t.created_at
  FROM tenant t WHERE EXISTS (SELECT 1 FROM contact c WHERE c.tenant_id=t.tenant_id);

-- +goose Down
DELETE FROM job WHERE kind='contact.index';
DROP TABLE contact_ref;
DROP TABLE contact_word;
DROP TABLE inquiry;
DROP TABLE note;
DROP TABLE consent_log;
DROP TABLE contact_consent;
DROP TABLE contact_merge;
DROP TABLE contact_alias;
