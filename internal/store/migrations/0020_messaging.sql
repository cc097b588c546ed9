-- Carts that people send in messages.
-- +goose Up
CREATE TABLE message_order (
  tenant_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  catalog TEXT NOT NULL,
  items JSON NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX message_order_recent ON message_order (tenant_id, conversation_id, created_at, message_id);

-- +goose Down
DROP TABLE message_order;
