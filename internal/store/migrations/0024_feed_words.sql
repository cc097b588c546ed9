-- The words that events of people hold: tags, and names of fields that came from
-- outside. Whoever is erased takes them along.
-- +goose Up
CREATE INDEX event_words ON event (tenant_id, contact_id)
  WHERE changed IS NOT NULL AND type IN ('contact.tag_added', 'contact.tag_removed', 'contact.updated');

-- +goose Down
DROP INDEX event_words;
