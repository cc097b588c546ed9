// Package socketio is a Socket.IO server: Engine.IO protocol 4 and Socket.IO
// protocol 5, which is what the Socket.IO v4 JavaScript client speaks. It owns
// connections, the heartbeat, packets, rooms and acknowledgements, and nothing
// else: it does not know what a room stands for, who may join it, or what an
// event means. Only internal/realtime and internal/server may call it; they
// hand it three callbacks and emit into rooms.
//
// # What is spoken
//
// The transports are HTTP long polling and WebSocket, and a session may change
// from the one to the other once; the namespace is the default one. A request
// that cannot be served is answered with the code numbers of Engine.IO. CONNECT
// to any other namespace gets CONNECT_ERROR "Invalid namespace", as from the
// reference server, and the connection stays. JSONP and WebTransport are not
// spoken.
//
// A polling session has at most one GET and one POST under way; a second of
// either ends it, since two readers would share the messages between them. While
// none is there, it costs no goroutine.
//
// Binary is refused: a binary frame, a base64 packet of a polling payload, a
// BINARY_EVENT or BINARY_ACK closes the connection, with code 1003 on a
// WebSocket and a close packet in the next poll. Whatever else breaks the protocol (a
// malformed packet, text that is not UTF-8, an event before CONNECT, a second
// CONNECT, a ping from the client) closes it with 1002, a message above
// MaxPayload with 1009. Event names are strings; numbers are malformed.
//
// # What it promises
//
// Emit and Send never wait for a client: each connection has a bounded queue,
// and one that lags by more than Options.SendQueue messages or SendBytes is cut
// without a goodbye, while the others are served. A message is encoded once for
// all. Messages reach a client in the order of the
// calls. The callbacks of one socket run one at a time, in order: Authenticate,
// then OnEvent for each event, then OnDisconnect once. Events that wait for
// OnEvent are bounded too; beyond that the connection is not read until there
// is room, so that a flood is held back in the client's own socket.
//
// A Message carries an Offset as its last argument, which the client of socket.io
// 4.6 and later keeps and shows when it comes back, if its Entry had a PID. What
// to tell it then is not this package's to know: Entry.Enter writes it, and Seat
// and Release put the live messages behind it.
//
// An idle WebSocket holds one goroutine, two small buffers and no timer: the
// writer and the callbacks borrow a goroutine while they have work, and one
// loop keeps every heartbeat.
//
// # Sources
//
// github.com/socketio/engine.io-protocol (v4), socket.io-protocol (v5), and,
// where they leave something open, the behaviour of socket.io 4.
package socketio
