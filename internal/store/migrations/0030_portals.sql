-- Portals and their widgets.
-- +goose Up

-- A portal of a tenant, one for each origin. extra holds what Parley keeps and does
-- not read: pages with their blocks, design, settings of the portal itself.
CREATE TABLE portal (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  origin TEXT NOT NULL,
  name TEXT NOT NULL,
  domain TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  extra JSON NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX portal_origin ON portal (tenant_id, origin);

-- The widgets of a portal in the order in which they were given. A list is always
-- replaced as a whole. campaign_id is the campaign that the widget refers to, if any:
-- it may be one that is unknown or deleted.
CREATE TABLE portal_widget (
  tenant_id TEXT NOT NULL,
  portal_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  widget_id TEXT NOT NULL,
  type TEXT NOT NULL,
  list_index INTEGER NOT NULL,
  campaign_id TEXT,
  body JSON NOT NULL,
  PRIMARY KEY (tenant_id, portal_id, position)
);
CREATE UNIQUE INDEX portal_widget_name ON portal_widget (tenant_id, portal_id, widget_id);
CREATE INDEX portal_widget_campaign ON portal_widget (tenant_id, campaign_id) WHERE campaign_id IS NOT NULL;

-- +goose Down
DROP TABLE portal_widget;
DROP TABLE portal;
