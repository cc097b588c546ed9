-- Finding contacts by their open attributes, lists of a group along one index, and
-- selections.
-- +goose Up

-- The attributes of a contact by sortable keys of their values (filter.Keys): the
-- text, and again the number or the day that the text is. An array has the key '*'
-- besides those of its elements. The name '' with the key '*' stands for a contact
-- with too many attributes to be listed.
CREATE TABLE contact_attribute (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, name, value, contact_id)
@postgres );
@sqlite ) WITHOUT ROWID;

-- Tenants whose contacts are not all in contact_attribute yet.
CREATE TABLE contact_unlisted (
  tenant_id TEXT NOT NULL PRIMARY KEY
);
INSERT INTO contact_unlisted (tenant_id) SELECT DISTINCT tenant_id FROM contact;
-- The job that gives contacts their words does it.
INSERT INTO job (tenant_id, id, kind, state, priority, unique_key, args, attempt, max_attempts, run_at, cancel_requested, created_at)
  SELECT t.tenant_id,
  @sqlite lower(hex(randomblob(12))),
  @postgres substr(md5(random()::text || t.tenant_id), 1, 24),
  'contact.index', 'available', 8, 'contact.attributes', '{}', 0, 20, t.created_at, FALSE, t.created_at
  FROM tenant t WHERE EXISTS (SELECT 1 FROM contact c WHERE c.tenant_id=t.tenant_id);

-- A group's contacts in every state, from the newest to the oldest.
CREATE INDEX handover_group_created ON handover (tenant_id, group_id, created_at, contact_id);

-- Contacts that somebody chose, as they were listed then: ids only.
CREATE TABLE selection (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  total INTEGER NOT NULL,
  actor TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX selection_age ON selection (created_at);
CREATE TABLE selection_page (
  tenant_id TEXT NOT NULL,
  selection_id TEXT NOT NULL,
  page INTEGER NOT NULL,
  ids JSON NOT NULL,
  PRIMARY KEY (tenant_id, selection_id, page)
);

-- +goose Down
DROP TABLE selection_page;
DROP TABLE selection;
DROP INDEX handover_group_created;
DELETE FROM job WHERE kind='contact.index' AND unique_key='contact.attributes';
DROP TABLE contact_unlisted;
DROP TABLE contact_attribute;
