// Package socketio is a Socket.IO server: Engine.IO protocol 4 and Socket.IO
// protocol 5, which is what the Socket.IO v4 JavaScript client speaks. It owns
// connections, the heartbeat, packets, rooms and acknowledgements, and nothing
// else: it does not know what a room stands for, who may join it, or what an
// event means. Only internal/realtime and internal/server may call it; they
// hand it three callbacks and emit into rooms.
//
// # What is spoken
//
// The transport is WebSocket and the namespace is the default one. A client
// passes transports: ["websocket"]; a polling request is answered with 400 and
// code 0, as Engine.IO answers an unknown transport. CONNECT to any other
// namespace gets CONNECT_ERROR "Invalid namespace", as from the reference
// server, and the connection stays.
//
// Binary is refused: a binary frame, BINARY_EVENT or BINARY_ACK closes the
// connection with WebSocket code 1003. Whatever else breaks the protocol (a
// malformed packet, text that is not UTF-8, an event before CONNECT, a second
// CONNECT, a ping from the client) closes it with 1002, a message above
// MaxPayload with 1009. Event names are strings; numbers are malformed.
//
// # What it promises
//
// Emit never waits for a client: each connection has a bounded queue, and one
// that lags by more than Options.SendQueue messages is cut without a goodbye,
// while the others are served. Messages reach a client in the order of the
// calls. The callbacks of one socket run one at a time, in order: Authenticate,
// then OnEvent for each event, then OnDisconnect once. Events that wait for
// OnEvent are bounded too; beyond that the connection is not read until there
// is room, so that a flood is held back in the client's own socket.
//
// An idle connection holds one goroutine, two small buffers and no timer: the
// writer and the callbacks borrow a goroutine while they have work, and one
// loop keeps every heartbeat.
//
// # Sources
//
// github.com/socketio/engine.io-protocol (v4), socket.io-protocol (v5), and,
// where they leave something open, the behaviour of socket.io 4.
package socketio
