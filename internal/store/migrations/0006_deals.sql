-- Pipelines that their owners shape, and lists that stay fast with a million people.
-- +goose Up

-- What a stage wants done when a card enters it, as its author sent it.
ALTER TABLE stage ADD COLUMN auto_actions JSON NOT NULL DEFAULT '[]';

-- How many deals stand in a stage in each status, how many of them are primary,
-- and what they are worth: whole units and millionths, added up as integers, so
-- that what is taken away again leaves nothing behind. Triggers keep it, because
-- a node of the version before this one must keep it too while both run. On
-- PostgreSQL a row exists per slot, the slot being the connection's own: two
-- transactions at once add to two rows. Readers add the slots up.
CREATE TABLE deal_tally (
  tenant_id TEXT NOT NULL,
  pipeline_id TEXT NOT NULL,
  stage_id TEXT NOT NULL,
  status TEXT NOT NULL,
  slot INTEGER NOT NULL,
  deals BIGINT NOT NULL,
  primaries BIGINT NOT NULL,
  @sqlite whole INTEGER NOT NULL,
  @postgres whole NUMERIC NOT NULL,
  @sqlite millionths INTEGER NOT NULL,
  @postgres millionths NUMERIC NOT NULL,
  PRIMARY KEY (tenant_id, pipeline_id, stage_id, status, slot)
);

-- +goose StatementBegin
@sqlite CREATE TRIGGER deal_tally_insert AFTER INSERT ON deal BEGIN
@sqlite   INSERT INTO deal_tally VALUES (NEW.tenant_id, NEW.pipeline_id, NEW.stage_id, NEW.status, 0, 1, NEW.is_primary,
@sqlite     CAST(NEW.value AS INTEGER), CAST(ROUND((NEW.value - CAST(NEW.value AS INTEGER)) * 1000000) AS INTEGER))
@sqlite   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=deals+excluded.deals, primaries=primaries+excluded.primaries,
@sqlite     whole=whole+excluded.whole, millionths=millionths+excluded.millionths;
@sqlite END;
@postgres CREATE FUNCTION deal_tally_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO deal_tally AS t SELECT tenant_id, pipeline_id, stage_id, status, pg_backend_pid() % 64, COUNT(*), COUNT(*) FILTER (WHERE is_primary),
@postgres     SUM(TRUNC(value)::BIGINT), SUM(ROUND((value - TRUNC(value)) * 1000000)::BIGINT) FROM fresh GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=t.deals+excluded.deals, primaries=t.primaries+excluded.primaries,
@postgres     whole=t.whole+excluded.whole, millionths=t.millionths+excluded.millionths;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

-- +goose StatementBegin
@sqlite CREATE TRIGGER deal_tally_delete AFTER DELETE ON deal BEGIN
@sqlite   UPDATE deal_tally SET deals=deals-1, primaries=primaries-OLD.is_primary, whole=whole-CAST(OLD.value AS INTEGER),
@sqlite     millionths=millionths-CAST(ROUND((OLD.value - CAST(OLD.value AS INTEGER)) * 1000000) AS INTEGER)
@sqlite   WHERE tenant_id=OLD.tenant_id AND pipeline_id=OLD.pipeline_id AND stage_id=OLD.stage_id AND status=OLD.status AND slot=0;
@sqlite END;
@postgres CREATE FUNCTION deal_tally_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO deal_tally AS t SELECT tenant_id, pipeline_id, stage_id, status, pg_backend_pid() % 64, -COUNT(*), -COUNT(*) FILTER (WHERE is_primary),
@postgres     -SUM(TRUNC(value)::BIGINT), -SUM(ROUND((value - TRUNC(value)) * 1000000)::BIGINT) FROM stale GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=t.deals+excluded.deals, primaries=t.primaries+excluded.primaries,
@postgres     whole=t.whole+excluded.whole, millionths=t.millionths+excluded.millionths;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

-- +goose StatementBegin
@sqlite CREATE TRIGGER deal_tally_update AFTER UPDATE OF pipeline_id, stage_id, status, value, is_primary ON deal
@sqlite WHEN OLD.stage_id<>NEW.stage_id OR OLD.status<>NEW.status OR OLD.value<>NEW.value OR OLD.is_primary<>NEW.is_primary OR OLD.pipeline_id<>NEW.pipeline_id BEGIN
@sqlite   UPDATE deal_tally SET deals=deals-1, primaries=primaries-OLD.is_primary, whole=whole-CAST(OLD.value AS INTEGER),
@sqlite     millionths=millionths-CAST(ROUND((OLD.value - CAST(OLD.value AS INTEGER)) * 1000000) AS INTEGER)
@sqlite   WHERE tenant_id=OLD.tenant_id AND pipeline_id=OLD.pipeline_id AND stage_id=OLD.stage_id AND status=OLD.status AND slot=0;
@sqlite   INSERT INTO deal_tally VALUES (NEW.tenant_id, NEW.pipeline_id, NEW.stage_id, NEW.status, 0, 1, NEW.is_primary,
@sqlite     CAST(NEW.value AS INTEGER), CAST(ROUND((NEW.value - CAST(NEW.value AS INTEGER)) * 1000000) AS INTEGER))
@sqlite   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=deals+excluded.deals, primaries=primaries+excluded.primaries,
@sqlite     whole=whole+excluded.whole, millionths=millionths+excluded.millionths;
@sqlite END;
@postgres CREATE FUNCTION deal_tally_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
@postgres   INSERT INTO deal_tally AS t SELECT tenant_id, pipeline_id, stage_id, status, pg_backend_pid() % 64, SUM(n), SUM(CASE WHEN is_primary THEN n ELSE 0 END),
@postgres     SUM(n * TRUNC(value)::BIGINT), SUM(n * ROUND((value - TRUNC(value)) * 1000000)::BIGINT)
@postgres     FROM (SELECT *, 1 AS n FROM fresh UNION ALL SELECT *, -1 AS n FROM stale) AS both_ GROUP BY 1, 2, 3, 4
@postgres     HAVING SUM(n) <> 0 OR SUM(CASE WHEN is_primary THEN n ELSE 0 END) <> 0 OR SUM(n * value) <> 0 ORDER BY 1, 2, 3, 4
@postgres   ON CONFLICT (tenant_id, pipeline_id, stage_id, status, slot) DO UPDATE SET deals=t.deals+excluded.deals, primaries=t.primaries+excluded.primaries,
@postgres     whole=t.whole+excluded.whole, millionths=t.millionths+excluded.millionths;
@postgres   RETURN NULL;
@postgres END $$;
-- +goose StatementEnd

@postgres CREATE TRIGGER deal_tally_insert AFTER INSERT ON deal REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION deal_tally_insert();
@postgres CREATE TRIGGER deal_tally_delete AFTER DELETE ON deal REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION deal_tally_delete();
@postgres CREATE TRIGGER deal_tally_update AFTER UPDATE ON deal REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION deal_tally_update();

-- What is there already. From here on the triggers count.
INSERT INTO deal_tally SELECT tenant_id, pipeline_id, stage_id, status, 0, COUNT(*), SUM(CASE WHEN is_primary THEN 1 ELSE 0 END),
  @sqlite SUM(CAST(value AS INTEGER)), SUM(CAST(ROUND((value - CAST(value AS INTEGER)) * 1000000) AS INTEGER))
  @postgres SUM(TRUNC(value)::BIGINT), SUM(ROUND((value - TRUNC(value)) * 1000000)::BIGINT)
  FROM deal GROUP BY tenant_id, pipeline_id, stage_id, status;

-- The tally answers what this index was for.
DROP INDEX deal_totals;
-- A column of the board: deals that are not archived, the last changed first.
CREATE INDEX deal_live ON deal (tenant_id, stage_id, updated_at, id) WHERE status <> 'archived';
-- Lists of won, lost and archived deals, which are few beside the open ones.
CREATE INDEX deal_ended ON deal (tenant_id, status, contact_id) WHERE status <> 'open';
-- The further deals of a person who was merged.
CREATE INDEX deal_further ON deal (tenant_id, contact_id) WHERE NOT is_primary;
-- Lists by source and by agent; both change seldom.
CREATE INDEX contact_source ON contact (tenant_id, source, id);
CREATE INDEX contact_assigned ON contact (tenant_id, assigned_to, id) WHERE assigned_to IS NOT NULL;

-- +goose Down
DROP INDEX contact_assigned;
DROP INDEX contact_source;
DROP INDEX deal_further;
DROP INDEX deal_ended;
DROP INDEX deal_live;
CREATE INDEX deal_totals ON deal (tenant_id, status, pipeline_id, stage_id, value, is_primary) WHERE is_primary;
@sqlite DROP TRIGGER deal_tally_update;
@sqlite DROP TRIGGER deal_tally_delete;
@sqlite DROP TRIGGER deal_tally_insert;
@postgres DROP TRIGGER deal_tally_update ON deal;
@postgres DROP TRIGGER deal_tally_delete ON deal;
@postgres DROP TRIGGER deal_tally_insert ON deal;
@postgres DROP FUNCTION deal_tally_update();
@postgres DROP FUNCTION deal_tally_delete();
@postgres DROP FUNCTION deal_tally_insert();
DROP TABLE deal_tally;
ALTER TABLE stage DROP COLUMN auto_actions;
