-- Segments: saved filters, whom they contained when it was last looked, and whose
-- place in them is to be looked at again.
-- +goose Up

CREATE TABLE segment (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  -- As they were given, and what they mean; without filters both are null.
  filters JSON,
  query JSON,
  tags JSON,
  extra JSON NOT NULL,
  -- Stands for these filters in segment_member. Other filters get another number.
  number BIGINT NOT NULL,
  -- 1 once whom it contained at its beginning is known: from then on it is told who
  -- comes and goes.
  seeded INTEGER NOT NULL,
  -- Of segment_set, when this row last changed.
  version BIGINT NOT NULL,
  created_by TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX segment_number ON segment (tenant_id, number);
CREATE INDEX segment_version ON segment (tenant_id, version);
CREATE INDEX segment_unseeded ON segment (tenant_id, entity_schema, number) WHERE seeded = 0;

-- One row a tenant that has or had segments. Every change of a segment holds it and
-- makes the version greater, so that what nodes remember is known to be old.
CREATE TABLE segment_set (
  tenant_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  number BIGINT NOT NULL,  -- the last that was given
  segments INTEGER NOT NULL,
  schemas JSON NOT NULL,   -- of entities that segments with filters select
  PRIMARY KEY (tenant_id)
);

-- The last segments that were deleted, for those who apply what differs.
CREATE TABLE segment_gone (
  tenant_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  segment_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, version)
);

-- The numbers of the segments that contained an entity; no row for none.
CREATE TABLE segment_member (
  tenant_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  numbers JSON NOT NULL,
  PRIMARY KEY (tenant_id, entity_id)
);

-- Entities that changed and are to be compared again. One row a transaction that
-- changed it (on SQLite, where xid is 0, one row), so that no change waits for
-- another or for the lane. The token is another whenever the row is written.
CREATE TABLE segment_owed (
  tenant_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  xid BIGINT NOT NULL,
  token TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  actor TEXT NOT NULL,
  seeding INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  last_error TEXT,
  PRIMARY KEY (tenant_id, entity_id, xid)
);
CREATE INDEX segment_owed_next ON segment_owed (tenant_id, next_at);
CREATE INDEX segment_owed_again ON segment_owed (next_at) WHERE tries > 0;
CREATE INDEX segment_owed_seeding ON segment_owed (tenant_id, entity_schema) WHERE seeding = 1;

-- Schemas over whose entities a walk is owed: for segments of whom it is not known
-- yet whom they contain, with numbers up to upto (0: not begun), or because a name
-- that stands in many documents changed (review: 1 owed, 2 under way). It begins
-- when every transaction up to fence has ended. With cleared = 0, what is remembered
-- of the schema's entities is to go first: no segment selects them any more.
CREATE TABLE segment_seed (
  tenant_id TEXT NOT NULL,
  entity_schema TEXT NOT NULL,
  upto BIGINT NOT NULL,
  fence BIGINT NOT NULL,
  after_id TEXT NOT NULL,
  walked INTEGER NOT NULL,
  review INTEGER NOT NULL,
  cleared INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, entity_schema)
);

-- +goose Down
DROP TABLE segment_seed;
DROP TABLE segment_owed;
DROP TABLE segment_member;
DROP TABLE segment_gone;
DROP TABLE segment_set;
DROP TABLE segment;
