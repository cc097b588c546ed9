-- Searches over entities follow these orders.
-- +goose Up
CREATE INDEX record_created ON record (tenant_id, schema, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX record_updated ON record (tenant_id, schema, updated_at, id) WHERE deleted_at IS NULL;

-- +goose Down
DROP INDEX record_updated;
DROP INDEX record_created;
