// Package platform is the ECODrIx-compatible API: /api/saas, /api/crm. It owns
// the wire of that contract (routes, spellings, envelopes, error codes) and
// nothing else: each handler reads a request, calls one service and writes what
// came back. The server mounts it; no other room imports it.
//
// Facts come from the platform reference; sections are named beside what they
// decide. What the face adds where sources are silent is written down in
// docs/api/platform.md, and api/platform.yaml describes every route.
package platform
