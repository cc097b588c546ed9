-- Groups as a tree, the agents in them, and who is there when.
-- +goose Up

-- A group of agents. A deleted one keeps its row, without a place in the tree,
-- because contacts remember the group that they came to.
CREATE TABLE agent_group (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  parent_id TEXT,
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  types JSON NOT NULL,
  timezone TEXT NOT NULL,
  country_code TEXT NOT NULL,
  language TEXT NOT NULL,
  working_hours JSON NOT NULL,
  absence_message TEXT NOT NULL,
  method TEXT NOT NULL,
  timeout_ms BIGINT NOT NULL,
  reassign_ms BIGINT NOT NULL,
  close_ms BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX agent_group_root ON agent_group (tenant_id) WHERE parent_id IS NULL AND deleted_at IS NULL;
CREATE INDEX agent_group_parent ON agent_group (tenant_id, parent_id, id) WHERE deleted_at IS NULL;
-- Groups whose contacts are closed when nothing happens.
CREATE INDEX agent_group_closing ON agent_group (tenant_id, id) WHERE close_ms > 0 AND deleted_at IS NULL;

-- The closure of the tree: every living group with each group above it and, at
-- depth 0, with itself.
CREATE TABLE agent_group_path (
  tenant_id TEXT NOT NULL,
  ancestor_id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  depth INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, ancestor_id, group_id)
);
CREATE UNIQUE INDEX agent_group_path_up ON agent_group_path (tenant_id, group_id, depth, ancestor_id);

-- An agent. A deleted one keeps its row, because archived contacts and histories
-- name it. turn orders the agents of a group by when they were last given
-- somebody new.
CREATE TABLE agent (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  email TEXT NOT NULL,
  phone TEXT NOT NULL,
  phone_key TEXT NOT NULL,
  cell_phone TEXT NOT NULL,
  cell_key TEXT NOT NULL,
  role TEXT NOT NULL,
  active BOOLEAN NOT NULL,
  timezone TEXT NOT NULL,
  working_hours JSON NOT NULL,
  legacy_id TEXT NOT NULL,
  external_id JSON NOT NULL,
  app_fields JSON NOT NULL,
  online_until BIGINT,
  paused BOOLEAN NOT NULL,
  turn BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX agent_email ON agent (tenant_id, email) WHERE email <> '' AND deleted_at IS NULL;
CREATE INDEX agent_by_group ON agent (tenant_id, group_id, id) WHERE deleted_at IS NULL;
CREATE INDEX agent_phone ON agent (tenant_id, phone_key) WHERE phone_key <> '' AND deleted_at IS NULL;
CREATE INDEX agent_cell ON agent (tenant_id, cell_key) WHERE cell_key <> '' AND deleted_at IS NULL;

-- +goose Down
DROP TABLE agent;
DROP TABLE agent_group_path;
DROP TABLE agent_group;
