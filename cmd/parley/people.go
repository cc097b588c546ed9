package main

import (
	"context"
	"net/url"
	"strconv"

	"parley/internal/face/admin"
)

// importPeople has people stored. When no server runs they are handed over as
// they are; else they travel as JSON.
func (c *client) importPeople(ctx context.Context, path string, people []admin.Person, dry bool) (res admin.Imported, err error) {
	if !c.live {
		ctx = admin.HandOver(ctx, &admin.Handover{People: people, DryRun: dry})
		return res, c.call(ctx, "POST", path, nil, &res)
	}
	return res, c.call(ctx, "POST", path, map[string]any{"people": people, "dryRun": dry}, &res)
}

// exportPeople returns the people behind an id, "" for the beginning.
func (c *client) exportPeople(ctx context.Context, path, after string, archived bool) ([]admin.Person, error) {
	path += "?" + url.Values{"after": {after}, "archived": {strconv.FormatBool(archived)}}.Encode()
	if !c.live {
		h := &admin.Handover{}
		err := c.call(admin.HandOver(ctx, h), "GET", path, nil, nil)
		return h.People, err
	}
	var people []admin.Person
	err := c.call(ctx, "GET", path, nil, &people)
	return people, err
}
