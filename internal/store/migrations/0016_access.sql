-- What a key of the sales API says of itself beside its scopes, and how soon an
-- agent or a group answers.
-- +goose Up

-- A disabled key lets nobody in until it is enabled. provider is the word under
-- which what comes through the key is known; rate is how many requests a minute
-- it may make, 0 for what the server says.
ALTER TABLE access_key ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE access_key ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE access_key ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE access_key ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;

-- Of a group and of an agent, the contacts to whom something happened last.
CREATE INDEX handover_active ON handover (tenant_id, group_id, active_at);
CREATE INDEX handover_active_agent ON handover (tenant_id, agent_id, active_at) WHERE agent_id IS NOT NULL;

-- +goose Down
DROP INDEX handover_active_agent;
DROP INDEX handover_active;
ALTER TABLE access_key DROP COLUMN rate;
ALTER TABLE access_key DROP COLUMN language;
ALTER TABLE access_key DROP COLUMN provider;
ALTER TABLE access_key DROP COLUMN enabled;
