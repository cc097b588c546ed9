package socketio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// refusal is an answer to a request that cannot become a connection, with the
// code numbers of the reference Engine.IO server.
type refusal struct {
	status  int
	Code    int    `json:"code"`
	Message string `json:"message"`
}

var (
	unknownTransport = &refusal{400, 0, "Transport unknown: use polling or websocket"}
	unknownSession   = &refusal{400, 1, "Session ID unknown: connect again without sid"}
	badMethod        = &refusal{400, 2, "Bad handshake method: use GET"}
	badRequest       = &refusal{400, 3, "Bad request: transport=websocket needs a WebSocket upgrade"}
	forbiddenOrigin  = &refusal{403, 4, "Forbidden: pages of this origin may not connect"}
	wrongVersion     = &refusal{400, 5, "Unsupported protocol version: use a Socket.IO client of version 3 or 4 (EIO=4)"}
	wrongTransport   = &refusal{400, 3, "Bad request: this session has another transport"}
	overlapping      = &refusal{400, 3, "Bad request: another request of this session is under way; the session is closed"}
	badPayload       = &refusal{400, 3, "Bad request: the body did not arrive"}
	tooLarge         = &refusal{413, 3, "Payload too large: send less than maxPayload bytes at once"}
	noHijack         = &refusal{500, 3, "Bad request: this HTTP connection cannot be upgraded"}
	serverFull       = &refusal{503, 3, "Too many connections: try again later"}
	serverClosed     = &refusal{503, 3, "The server is shutting down: connect again later"}
)

func (f *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(f) // a client that is gone needs no answer
}

// check says why a request is refused, nil when it is not.
func (s *Server) check(w http.ResponseWriter, r *http.Request, q url.Values) *refusal {
	ws := q.Get("transport") == "websocket"
	switch {
	case !ws && q.Get("transport") != "polling":
		return unknownTransport
	case q.Get("EIO") != "4":
		return wrongVersion
	case r.Method != http.MethodGet && (ws || q.Get("sid") == "" || r.Method != http.MethodPost):
		return badMethod
	case ws && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return badRequest
	case !s.originAllowed(r):
		return forbiddenOrigin
	case ws && !canHijack(w):
		return noHijack
	}
	return nil
}

// cors lets a page of another origin read the answer, unless the layer above
// has decided that already.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) {
	origin, h := r.Header.Get("Origin"), w.Header()
	if origin == "" || h.Get("Access-Control-Allow-Origin") != "" || !s.originAllowed(r) {
		return
	}
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if want := r.Header.Get("Access-Control-Request-Headers"); want != "" {
		h.Set("Access-Control-Allow-Headers", want)
	}
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	}
}

// originAllowed protects visitors of other sites: a browser sends its cookies
// along with any WebSocket request and lets the server decide.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if s.opts.AllowOrigin != nil {
		return s.opts.AllowOrigin(origin)
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
