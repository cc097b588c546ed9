-- People who were erased: what remains of them, and what keeps them refused.
-- +goose Up

-- One row per erased contact. ids are all that it ever had. addresses are those
-- under which rows without a contact may still lie; they go with the last of these
-- rows, when done_at is set. The contact's own row stays as a tombstone.
CREATE TABLE contact_erasure (
  tenant_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  ids JSON NOT NULL,
  addresses JSON NOT NULL,
  actor TEXT NOT NULL,
  erased_at BIGINT NOT NULL,
  done_at BIGINT,
  PRIMARY KEY (tenant_id, contact_id)
);
CREATE INDEX contact_erasure_open ON contact_erasure (tenant_id, contact_id) WHERE done_at IS NULL;

-- What erased people refused, by an address that only the server's own key can
-- make: whoever comes back under it is refused again. A row without a channel says
-- until when everything that was ever sent from the address was erased.
CREATE TABLE contact_suppression (
  tenant_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, hash, channel, purpose)
);

-- Conversations of erased people of which messages are left; without their row
-- nobody finds these any more.
CREATE TABLE conversation_gone (
  tenant_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, conversation_id)
);

-- What rules were told of a person, and what calls of a run said.
CREATE INDEX trigger_log_by_contact ON trigger_log (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX webhook_own_subject ON webhook_delivery (tenant_id, subject) WHERE body_id IS NULL;

-- Reminders that are still to come are announced from now on, once each.
INSERT INTO job (tenant_id, id, kind, state, priority, unique_key, args, attempt, max_attempts, run_at, cancel_requested, created_at)
  SELECT h.tenant_id,
  @sqlite lower(hex(randomblob(12))),
  @postgres substr(md5(random()::text || h.tenant_id || h.contact_id), 1, 24),
  'handover.reminder', 'scheduled', 5, h.contact_id || ':' || h.next_reminder,
  @sqlite '{"contact":"' || h.contact_id || '","at":' || h.next_reminder || '}',
  @postgres CAST('{"contact":"' || h.contact_id || '","at":' || h.next_reminder || '}' AS JSONB),
  0, 20, h.next_reminder, FALSE, h.updated_at
  FROM handover h WHERE h.status <> 'archived' AND h.next_reminder >
  @sqlite CAST(strftime('%s', 'now') AS INTEGER) * 1000;
  @postgres EXTRACT(EPOCH FROM now()) * 1000;

-- +goose Down
DROP INDEX webhook_own_subject;
DROP INDEX trigger_log_by_contact;
DROP TABLE conversation_gone;
DROP TABLE contact_suppression;
DROP TABLE contact_erasure;
