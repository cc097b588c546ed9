// Package targeting is the epilot-Targeting-compatible API: campaigns, targets,
// recipients and matching, with the entities, automations, portals and tokens that
// a server without siblings needs. It owns the wire of that contract (routes,
// spellings, error shapes) and nothing else: each handler reads a request, calls
// one service and writes what came back. The server mounts it; no other room
// imports it.
//
// Facts come from the targeting reference; sections are named beside what they
// decide. What the face adds where sources are silent is written down in
// docs/api/targeting.md, and api/targeting.yaml describes every route.
package targeting
