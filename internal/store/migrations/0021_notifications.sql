-- Subscriptions, the notifications owed, and bodies that many deliveries share.
-- +goose Up

-- Who wants to be told of what. An ended one keeps its row, since deliveries name
-- it; of a group at most one is active.
CREATE TABLE notification_subscription (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  group_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  topics JSON NOT NULL,
  callback_url TEXT NOT NULL,
  shape TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT,
  replaced_by TEXT,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX notification_active ON notification_subscription (tenant_id, group_id) WHERE ended_at IS NULL;

-- What happened and is still to be told, in the order in which it happened. A row
-- goes in the transaction that writes its deliveries.
CREATE TABLE notification_owed (
  tenant_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  operation_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  event JSON NOT NULL,
  tries INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  last_error TEXT,
  PRIMARY KEY (tenant_id, seq)
);
-- Those that wait, for their contact's first work or to be tried again.
CREATE INDEX notification_owed_again ON notification_owed (next_at) WHERE tries > 0;
CREATE INDEX notification_owed_contact ON notification_owed (tenant_id, contact_id, seq);

-- One body for the deliveries of one fact to many subscriptions. What differs
-- between them and between attempts is stamped when they leave.
CREATE TABLE webhook_body (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX webhook_body_subject ON webhook_body (tenant_id, subject, id);
CREATE INDEX webhook_body_age ON webhook_body (created_at);

ALTER TABLE webhook_delivery ADD COLUMN body_id TEXT;
-- The list of deliveries with bodies of their own, which has no place for others.
DROP INDEX webhook_recent;
CREATE INDEX webhook_own_recent ON webhook_delivery (tenant_id, created_at, id) WHERE body_id IS NULL;
-- How many calls of a lane are under way.
CREATE INDEX webhook_busy ON webhook_delivery (tenant_id, endpoint) WHERE state = 'sending';
-- The log of one lane and of one subject.
CREATE INDEX webhook_of_lane ON webhook_delivery (tenant_id, endpoint, id) WHERE body_id IS NOT NULL;
CREATE INDEX webhook_of_subject ON webhook_delivery (tenant_id, subject, id) WHERE body_id IS NOT NULL;

-- +goose Down
DROP INDEX webhook_of_subject;
DROP INDEX webhook_of_lane;
DROP INDEX webhook_busy;
DROP INDEX webhook_own_recent;
CREATE INDEX webhook_recent ON webhook_delivery (tenant_id, created_at, id);
ALTER TABLE webhook_delivery DROP COLUMN body_id;
DROP TABLE webhook_body;
DROP TABLE notification_owed;
DROP TABLE notification_subscription;
