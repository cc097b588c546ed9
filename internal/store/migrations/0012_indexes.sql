-- Fewer index entries a row: what an import costs is its index entries.
-- +goose Up

-- identity_claim finds who claims a phone or an e-mail. Searches look for the
-- others as well, which are few: only those are in an index of their own.
CREATE INDEX identity_spare ON identity (tenant_id, kind, value) WHERE NOT claimed;
DROP INDEX identity_value;

-- SQLite commits in the order of seq, so the table's own key is the feed. (Only
-- one version at a time opens a SQLite file.)
@sqlite DROP INDEX event_feed;

-- A batch of deals adds to the tally once, not once a deal: it puts a row here,
-- inserts, adds up, and takes the row away, all in one transaction, and nobody
-- else ever sees the row. On PostgreSQL the trigger works per statement already.
@sqlite CREATE TABLE deal_tally_held (one INTEGER PRIMARY KEY);
@sqlite DROP TRIGGER deal_tally_insert;
-- +goose StatementBegin
@sqlite CREATE TRIGGER deal_tally_insert AFTER INSERT ON deal WHEN NOT EXISTS (SELECT 1 FROM deal_tally_held) BEGIN
@sqlite   INSERT INTO deal_tally VALUES (NEW.tenant_id, NEW.pipeline_id, NEW.stage_id, NEW.status, 0, 1, NEW.is_primary,
@sqlite     CAST(NEW.value AS INTEGER), CAST(ROUND((NEW.value - CAST(NEW.value AS INTEGER)) * 1000000) AS INTEGER))
@sqlite   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=deals+excluded.deals, primaries=primaries+excluded.primaries,
@sqlite     whole=whole+excluded.whole, millionths=millionths+excluded.millionths;
@sqlite END;
@postgres SELECT 1;
-- +goose StatementEnd

-- +goose Down
@sqlite DROP TRIGGER deal_tally_insert;
-- +goose StatementBegin
@sqlite CREATE TRIGGER deal_tally_insert AFTER INSERT ON deal BEGIN
@sqlite   INSERT INTO deal_tally VALUES (NEW.tenant_id, NEW.pipeline_id, NEW.stage_id, NEW.status, 0, 1, NEW.is_primary,
@sqlite     CAST(NEW.value AS INTEGER), CAST(ROUND((NEW.value - CAST(NEW.value AS INTEGER)) * 1000000) AS INTEGER))
@sqlite   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=deals+excluded.deals, primaries=primaries+excluded.primaries,
@sqlite     whole=whole+excluded.whole, millionths=millionths+excluded.millionths;
@sqlite END;
@postgres SELECT 1;
-- +goose StatementEnd
@sqlite DROP TABLE deal_tally_held;
@sqlite CREATE INDEX event_feed ON event (xid, seq);
CREATE INDEX identity_value ON identity (tenant_id, kind, value);
DROP INDEX identity_spare;
