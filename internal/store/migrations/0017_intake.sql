-- Groups are found by the names that leads give them, in any case of letters and
-- without accents. The keys are NULL for groups that were written before; those
-- are compared one by one until they are written again.
-- +goose Up
ALTER TABLE agent_group ADD COLUMN name_key TEXT;
ALTER TABLE agent_group ADD COLUMN display_key TEXT;
CREATE INDEX agent_group_name ON agent_group (tenant_id, name_key) WHERE deleted_at IS NULL;
CREATE INDEX agent_group_display ON agent_group (tenant_id, display_key) WHERE deleted_at IS NULL;

-- +goose Down
DROP INDEX agent_group_display;
DROP INDEX agent_group_name;
ALTER TABLE agent_group DROP COLUMN display_key;
ALTER TABLE agent_group DROP COLUMN name_key;
