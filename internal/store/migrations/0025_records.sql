-- Records: documents of a tenant without a declared shape.
-- +goose Up

-- attributes are canonical JSON (filter.Canonical); search_title is the title as it
-- is searched. A record with deleted_at was put away: it has no entries in
-- record_attribute and nobody meets it, but it can be taken back.
CREATE TABLE record (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  schema TEXT NOT NULL,
  title TEXT NOT NULL,
  search_title TEXT NOT NULL,
  attributes JSON NOT NULL,
  owner_id TEXT,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
-- The living records of a schema, from the first to the last.
CREATE INDEX record_schema ON record (tenant_id, schema, id) WHERE deleted_at IS NULL;

CREATE TABLE record_tag (
  tenant_id TEXT NOT NULL,
  record_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (tenant_id, record_id, tag)
@postgres );
@sqlite ) WITHOUT ROWID;

-- The attributes of living records by sortable keys of their values, as
-- contact_attribute: here also what lies within objects, by its dotted path, and
-- the tags under _tags. The name '' with the key '*' stands for a record with too
-- many to be listed.
CREATE TABLE record_attribute (
  tenant_id TEXT NOT NULL,
  schema TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  record_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, schema, name, value, record_id)
@postgres );
@sqlite ) WITHOUT ROWID;

-- Which entities a record refers to by $relation, put away or not, so that those
-- who refer to an erased person are found.
CREATE TABLE record_relation (
  tenant_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  record_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, entity_id, record_id)
@postgres );
@sqlite ) WITHOUT ROWID;

-- +goose Down
DROP TABLE record_relation;
DROP TABLE record_attribute;
DROP TABLE record_tag;
DROP TABLE record;
