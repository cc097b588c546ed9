// Package sales is the Zenvia-Sales-compatible API: /api/v1, alias /v1. It owns
// the wire of that contract (routes, spellings, CSV and JSON, error codes) and
// nothing else: each handler reads a request, calls one service and writes what
// came back. The server mounts it; no other room imports it.
//
// A key sees its group and every group below it; what lies elsewhere does not
// exist for it (reference §4.7). A key without a group sees the whole tree.
//
// Facts come from the sales reference; sections are named beside what they
// decide. What the face adds where sources are silent is written down in
// docs/api/sales.md, and api/sales.yaml describes every route.
package sales
