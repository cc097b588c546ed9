-- Runs that were launched: about which entity, and for whom. Jobs that launch a
-- rule for every entity of an audience.
-- +goose Up

-- A launched run keeps the entity that it was asked for, whatever becomes of its
-- contact, and the owner whose books follow its status. contact_id is '' when the
-- entity is a record that relates to no person.
ALTER TABLE run ADD COLUMN entity_schema TEXT;
ALTER TABLE run ADD COLUMN entity_id TEXT;
ALTER TABLE run ADD COLUMN owner_id TEXT;
-- Runs of people are found by their contact.
CREATE INDEX run_of_record ON run (tenant_id, entity_id, started_at, id) WHERE entity_schema <> 'contact';
-- What ends with its owner.
CREATE INDEX run_owned_open ON run (tenant_id, owner_id, id) WHERE owner_id IS NOT NULL AND completed_at IS NULL;

-- A job. Its audience is a list of refs, or the entities of schema_name that the
-- filter selects; loaded is how far the list, and load_after how far the walk over
-- the entities has come; run_after is the last entity whose run was to start. What
-- has ended is swept once, when all of its items are settled.
CREATE TABLE bulk_job (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  owner_id TEXT,
  actor TEXT NOT NULL,
  status TEXT NOT NULL,
  schema_name TEXT NOT NULL,
  filter JSON,
  refs JSON,
  loaded BIGINT NOT NULL,
  load_after TEXT,
  run_after TEXT,
  total BIGINT NOT NULL,
  started BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  token TEXT NOT NULL,
  error TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  ended_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX bulk_job_of_owner ON bulk_job (tenant_id, owner_id, id) WHERE owner_id IS NOT NULL;

-- The audience as it was when the job asked, and what became of each entity. is_open
-- marks those whose run has begun and not ended.
CREATE TABLE bulk_item (
  tenant_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  run_id TEXT,
  status TEXT NOT NULL,
  error TEXT,
  is_open BOOLEAN NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, job_id, entity_id)
);
CREATE INDEX bulk_item_open ON bulk_item (tenant_id, job_id, entity_id) WHERE is_open;

-- +goose Down
DROP TABLE bulk_item;
DROP TABLE bulk_job;
DROP INDEX run_owned_open;
DROP INDEX run_of_record;
ALTER TABLE run DROP COLUMN owner_id;
ALTER TABLE run DROP COLUMN entity_id;
ALTER TABLE run DROP COLUMN entity_schema;
