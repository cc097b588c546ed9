-- What an operator notes of a tenant besides its settings: business, plan, tags.
-- +goose Up
ALTER TABLE tenant ADD COLUMN profile JSON;

-- +goose Down
ALTER TABLE tenant DROP COLUMN profile;
