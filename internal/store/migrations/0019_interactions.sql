-- Interactions in the order of time, whoever they are with; quotes.
-- +goose Up

-- Interactions are read where they lie, newest first. The conversation is in the
-- index so that a walk looks at the group and the channel of a message before it
-- reads its row.
CREATE INDEX message_recent ON message (tenant_id, created_at, id, conversation_id);
CREATE INDEX note_recent ON note (tenant_id, created_at, id, contact_id);
-- The activities that are interactions (package interaction, kinds), which leaves
-- out the many that mirror messages. Queries repeat the list to the letter.
CREATE INDEX activity_interaction ON activity (tenant_id, type, created_at, id, contact_id)
  WHERE type IN ('call_logged','call','note','note_added','question','message','handover','quote','csat','visit','meeting_created','meeting_completed','meeting_cancelled','test_drive','walk_in','sms','whatsapp','email','facebook','instagram','web_action','custom_event');
-- The conversations of a channel, the latest first: a channel that few use is read
-- from here instead of by a walk over all messages.
CREATE INDEX conversation_channel ON conversation (tenant_id, channel, last_message_at, id);

-- An offer to a contact. Numbers in items and total are decimal texts, exact.
CREATE TABLE quote (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  contact_id TEXT NOT NULL,
  status TEXT NOT NULL,
  items JSON NOT NULL,
  total TEXT NOT NULL,
  data JSON NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  accepted_at BIGINT,
  rejected_at BIGINT,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX quote_by_contact ON quote (tenant_id, contact_id, created_at, id);
CREATE INDEX quote_recent ON quote (tenant_id, created_at, id, contact_id, status);
CREATE INDEX quote_status ON quote (tenant_id, status, created_at, id, contact_id);

-- +goose Down
DROP TABLE quote;
DROP INDEX conversation_channel;
DROP INDEX activity_interaction;
DROP INDEX note_recent;
DROP INDEX message_recent;
