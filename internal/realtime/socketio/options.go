package socketio

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"parley/internal/clock"
)

// DefaultPath is where clients look for the server unless told otherwise.
const DefaultPath = "/socket.io/"

// The defaults of Options. Interval, timeouts and payload are those of the
// reference server.
const (
	DefaultPingInterval   = 25 * time.Second
	DefaultPingTimeout    = 20 * time.Second
	DefaultConnectTimeout = 45 * time.Second
	DefaultMaxPayload     = 1_000_000
	DefaultSendQueue      = 2048
	DefaultSendBytes      = 4 << 20
	DefaultUpgradeTimeout = 10 * time.Second
	DefaultMaxConnections = 10_000
)

// Handshake is what a client showed when it connected.
type Handshake struct {
	// Auth is the `auth` option of the client, nil when it gave none.
	Auth map[string]any
	// Query holds the query parameters of the request, EIO and transport included.
	Query url.Values
	// Header holds the headers of the request.
	Header http.Header
	// RemoteAddr is the peer's address as the HTTP server saw it.
	RemoteAddr string
}

// Entry is how a client that is let in enters.
type Entry struct {
	// Session is what Socket.Session returns.
	Session any
	// Rooms are those the client is in from the first moment.
	Rooms []string
	// PID is told with the CONNECT answer. A client of socket.io 4.6 or later
	// that has one shows it again when it comes back, as auth.pid, together with
	// auth.offset, the last argument of the last event it got. Answering the pid
	// it showed tells it that it has missed nothing.
	PID string
	// Enter, unless nil, runs after the answer was queued and before any event of
	// the client is handled. It may Write what the client missed, and joins rooms
	// itself.
	Enter func(ctx context.Context, s *Socket)
}

// Options configure a Server. The zero value of a field means its default.
type Options struct {
	// Authenticate decides whether a client may connect and how it enters. An
	// error refuses it with CONNECT_ERROR: the client sees the message and code of
	// a *fault.Error; the text of any other error is only logged. ctx ends with
	// the connection. Without Authenticate everybody connects, into no room.
	Authenticate func(ctx context.Context, h Handshake) (Entry, error)
	// OnEvent receives each event of a client. ack answers it; it may be called
	// from any goroutine, only the first call counts, and it does nothing when
	// the client asked for no answer. ctx ends with the connection.
	OnEvent func(ctx context.Context, s *Socket, name string, args []json.RawMessage, ack func(args ...any))
	// OnDisconnect is told once about each socket that was connected, after its
	// last event, with one of the Reason constants. ctx outlives the connection
	// and ends when Server.Close runs out of patience.
	OnDisconnect func(ctx context.Context, s *Socket, reason string)

	// PingInterval is the time between a pong and the next ping.
	PingInterval time.Duration
	// PingTimeout is how long a pong may take before the connection is cut.
	PingTimeout time.Duration
	// ConnectTimeout is how long a client may take to be let in.
	ConnectTimeout time.Duration
	// MaxPayload is the largest message taken from a client, in bytes. It also
	// bounds the bytes of a client's events that wait for OnEvent.
	MaxPayload int64
	// SendQueue is the number of messages a client may lag before it is cut.
	SendQueue int
	// SendBytes is the number of bytes a client may lag before it is cut. A
	// single message may be larger.
	SendBytes int
	// UpgradeTimeout is how long a probe of a WebSocket beside a polling session
	// may take before it is given up.
	UpgradeTimeout time.Duration
	// MaxConnections bounds the open connections; further ones get a 503.
	MaxConnections int

	// AllowOrigin says whether pages of an origin may connect. It is asked only
	// when a request names one. Without it, only the request's own host may.
	AllowOrigin func(origin string) bool
	// Draining tells, for a request, when the HTTP server wants it to end; a poll
	// that waits then ends its session, so that the client comes back. nil: never.
	Draining func(r *http.Request) <-chan struct{}
	// Clock is the source of time; the real one by default.
	Clock clock.Clock
	// Logger takes what an operator wants to know; nothing is logged without it.
	Logger *slog.Logger
}

// The reasons OnDisconnect is told. The words are those of socket.io 4, where
// it has one.
const (
	ReasonClient         = "client namespace disconnect"
	ReasonServer         = "server namespace disconnect"
	ReasonTransportClose = "transport close"
	ReasonTransportError = "transport error"
	ReasonPingTimeout    = "ping timeout"
	ReasonParseError     = "parse error"
	ReasonShutdown       = "server shutting down"
	ReasonSlow           = "slow client"
	ReasonPanic          = "server error"
	ReasonBroken         = "forced server close"
)

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	orDuration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	orDuration(&o.PingInterval, DefaultPingInterval)
	orDuration(&o.PingTimeout, DefaultPingTimeout)
	orDuration(&o.ConnectTimeout, DefaultConnectTimeout)
	if o.MaxPayload <= 0 {
		o.MaxPayload = DefaultMaxPayload
	}
	if o.SendQueue <= 0 {
		o.SendQueue = DefaultSendQueue
	}
	if o.SendBytes <= 0 {
		o.SendBytes = DefaultSendBytes
	}
	orDuration(&o.UpgradeTimeout, DefaultUpgradeTimeout)
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
