-- Recipients have a place in the list of their campaign, given one after the other.
-- +goose Up

-- The last place that was given. Whoever adds recipients holds the campaign's row until
-- the commit, so that a place that can be seen has every one before it committed.
ALTER TABLE campaign ADD COLUMN places BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaign_recipient ADD COLUMN place BIGINT NOT NULL DEFAULT 0;

UPDATE campaign_recipient SET place = x.place
  FROM (SELECT tenant_id, campaign_id, entity_id, ROW_NUMBER() OVER (PARTITION BY tenant_id, campaign_id ORDER BY created_at, entity_id) AS place FROM campaign_recipient) AS x
  WHERE x.tenant_id = campaign_recipient.tenant_id AND x.campaign_id = campaign_recipient.campaign_id AND x.entity_id = campaign_recipient.entity_id;
UPDATE campaign SET places = (SELECT COUNT(*) FROM campaign_recipient r WHERE r.tenant_id = campaign.tenant_id AND r.campaign_id = campaign.id);

-- A list walks the first index, or merges one walk of the second for each pair of
-- statuses that it shows.
CREATE INDEX campaign_recipient_place ON campaign_recipient (tenant_id, campaign_id, place) WHERE merged_into IS NULL;
DROP INDEX campaign_recipient_list;
CREATE INDEX campaign_recipient_list ON campaign_recipient (tenant_id, campaign_id, automation_status, portal_status, place) WHERE merged_into IS NULL;

-- +goose Down
DROP INDEX campaign_recipient_list;
CREATE INDEX campaign_recipient_list ON campaign_recipient (tenant_id, campaign_id, automation_status, portal_status, created_at, entity_id) WHERE merged_into IS NULL;
DROP INDEX campaign_recipient_place;
ALTER TABLE campaign_recipient DROP COLUMN place;
ALTER TABLE campaign DROP COLUMN places;
