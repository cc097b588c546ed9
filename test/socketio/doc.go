// Package socketio holds the tests that drive internal/realtime/socketio with
// the published JavaScript client, socket.io-client, in the version that
// package-lock.json pins. Nothing imports it.
package socketio
