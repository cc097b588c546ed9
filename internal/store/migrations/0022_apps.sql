-- Apps of other makers: what they are, where they run, what they add.
-- +goose Up

-- An app as a tenant knows it. A deleted one keeps its row, because instances
-- name it and may still have to be told that they ended. The client secret and the
-- private key are sealed.
CREATE TABLE app (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  developer TEXT NOT NULL,
  app_key TEXT NOT NULL,
  name JSON NOT NULL,
  base_url TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL,
  private_key TEXT NOT NULL,
  scopes JSON NOT NULL,
  reports JSON NOT NULL,
  buttons JSON NOT NULL,
  prospect_fields JSON NOT NULL,
  user_fields JSON NOT NULL,
  push BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX app_of_key ON app (tenant_id, developer, app_key) WHERE deleted_at IS NULL;

-- An app in one group. enabled is what people want, told_enabled what the app was
-- last told; token is the key that the app has, next_token the one that it is to
-- take, both sealed. owes names the call that the app has yet to confirm; version
-- grows with what is owed and attempt with every try of a call.
CREATE TABLE app_instance (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  user_id TEXT,
  key_id TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  told_enabled BOOLEAN,
  token TEXT NOT NULL,
  next_token TEXT NOT NULL,
  owes TEXT NOT NULL,
  reached BOOLEAN NOT NULL,
  version INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  next_at BIGINT,
  gave_up_at BIGINT,
  last_error TEXT NOT NULL,
  installed_at BIGINT,
  uninstalled_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX app_instance_place ON app_instance (tenant_id, app_id, group_id) WHERE state <> 'uninstalled';
CREATE UNIQUE INDEX app_instance_key ON app_instance (tenant_id, key_id);
CREATE INDEX app_instance_recent ON app_instance (tenant_id, app_id, created_at, id);
CREATE INDEX app_instance_enabled ON app_instance (tenant_id, group_id) WHERE state = 'enabled';

-- The second token of a key that is being replaced: both open it until whoever
-- holds the first has taken the second.
CREATE TABLE access_successor (
  tenant_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, key_id)
);
CREATE UNIQUE INDEX access_successor_hash ON access_successor (hash);

-- The fields that the tenant itself adds to prospects and users, in its order.
CREATE TABLE app_field (
  tenant_id TEXT NOT NULL,
  entity TEXT NOT NULL,
  field_key TEXT NOT NULL,
  position INTEGER NOT NULL,
  name JSON NOT NULL,
  type TEXT NOT NULL,
  options JSON NOT NULL,
  read_only BOOLEAN NOT NULL,
  hidden BOOLEAN NOT NULL,
  PRIMARY KEY (tenant_id, entity, field_key)
);

-- What apps told of users; what they told of prospects lies in the timeline.
CREATE TABLE app_event (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  name TEXT NOT NULL,
  details JSON NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX app_event_of_key ON app_event (tenant_id, key_id, created_at, id);

-- What apps told agents, and whom.
CREATE TABLE app_notification (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  type TEXT NOT NULL,
  platforms JSON NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX app_notification_old ON app_notification (created_at);
CREATE TABLE app_notification_target (
  tenant_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  notification_id TEXT NOT NULL,
  seen_at BIGINT,
  PRIMARY KEY (tenant_id, agent_id, notification_id)
);
CREATE INDEX app_notification_reach ON app_notification_target (tenant_id, notification_id);

-- +goose Down
DROP TABLE app_notification_target;
DROP TABLE app_notification;
DROP TABLE app_event;
DROP TABLE app_field;
DROP TABLE access_successor;
DROP TABLE app_instance;
DROP TABLE app;
