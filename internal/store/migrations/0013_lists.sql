-- Lists of leads whose first page costs a few milliseconds with a million people
-- (docs/decisions/0012-deal-tally.md). No table gets more rows; a new deal costs one
-- index entry more, a new contact none.
-- +goose Up

-- Whether a contact's card qualifies by what its deal is, without the deal's row.
-- SQLite is told to take it; is_primary is in it instead of a condition, so that it
-- serves for what deal_further did.
CREATE INDEX deal_card ON deal (tenant_id, contact_id, is_primary, status, stage_id, pipeline_id);
-- One agent's and one source's leads in the order of the score, which is how lists
-- are sorted unless they are told otherwise.
DROP INDEX contact_source;
CREATE INDEX contact_source ON contact (tenant_id, source, score, id, assigned_to);
DROP INDEX contact_assigned;
CREATE INDEX contact_assigned ON contact (tenant_id, assigned_to, score, id, source) WHERE assigned_to IS NOT NULL;
-- Walks in these orders pass over other sources and agents without their rows.
DROP INDEX contact_created;
CREATE INDEX contact_created ON contact (tenant_id, created_at, id, source, assigned_to);
DROP INDEX contact_updated;
CREATE INDEX contact_updated ON contact (tenant_id, updated_at, id, source, assigned_to);

-- +goose Down
DROP INDEX contact_updated;
CREATE INDEX contact_updated ON contact (tenant_id, updated_at, id);
DROP INDEX contact_created;
CREATE INDEX contact_created ON contact (tenant_id, created_at, id);
DROP INDEX contact_assigned;
CREATE INDEX contact_assigned ON contact (tenant_id, assigned_to, id) WHERE assigned_to IS NOT NULL;
DROP INDEX contact_source;
CREATE INDEX contact_source ON contact (tenant_id, source, id);
DROP INDEX deal_card;
