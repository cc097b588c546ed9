package socketio

// transport carries the packets of one session. A session knows its transport
// by this interface only, so that another kind can serve it.
type transport interface {
	// write sends the packets that next returns until it has none. One call at
	// a time; it blocks for as long as the peer does not take them.
	write(next func() ([]byte, bool)) error
	// close says goodbye with a WebSocket close code and ends the transport. It
	// waits a few seconds for the peer; kill cuts that short.
	close(code int, text string)
	// kill ends the transport at once; write and close return.
	kill()
}

// The close codes used, from RFC 6455, 7.4.1.
const (
	closeNormal      = 1000
	closeGoingAway   = 1001
	closeProtocol    = 1002
	closeUnsupported = 1003
	closePolicy      = 1008
	closeTooBig      = 1009
	closeInternal    = 1011
)
