// Package httpx is the HTTP layer that all faces share. It owns the table of
// prefixes that names a face, the first step on paths, reading and checking of
// bodies and queries, and the middleware: panic recovery, request ids, access
// log, draining, CORS, body limits, authentication, scopes, rate limits and
// idempotency keys. Faces hand it their routes as data; the server builds one
// handler of them with NewHandler and runs it with Serve.
//
// It knows no face and no store. What needs either (authentication, the store
// of idempotency records, the error envelope) comes in as a function or an
// interface.
//
// # The order of things
//
// A request passes: panic recovery, request id, access log, CORS headers, the
// draining gate, the path step, the choice of face and route (404, 405),
// OPTIONS, the check of path and query text, the announced body length (413),
// authentication (401), the scope (403), the rate limit (429, which a call without
// the scope spends too), the body (413),
// idempotency, the handler. Everything after the choice of the face answers in
// that face's envelope.
package httpx
