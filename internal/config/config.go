// Package config owns the settings of Parley: their names, defaults, meaning
// and limits. Each is a flag, an environment variable PARLEY_* and a key of the
// configuration file; `parley serve --help` lists them all. The commands parse
// them, the server obeys them.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Database says where the data is. Every command takes it.
type Database struct {
	Data     string `help:"Folder of the data: the SQLite file, the key that seals secrets, the command socket." default:"./data" env:"PARLEY_DATA" type:"path"`
	Database string `help:"A postgres:// URL. Left out, Parley keeps an embedded SQLite database in the data folder." env:"PARLEY_DATABASE" placeholder:"URL"`
	// Commands seal and open secrets too, beside a server on PostgreSQL or without one.
	SecretKey string `help:"32 bytes as hex or base64 that seal the stored secrets. Left out, a key file is made in the data folder." env:"PARLEY_SECRET_KEY" placeholder:"KEY"`
}

// File is the path of the SQLite database.
func (d Database) File() string { return filepath.Join(d.Data, "parley.db") }

// Server are the settings of `parley serve`.
type Server struct {
	Database `embed:""`

	Listen string   `help:"Address of the API." default:"127.0.0.1:8080" env:"PARLEY_LISTEN" placeholder:"HOST:PORT"`
	Public string   `name:"public-url" help:"URL under which clients and providers reach this server. Left out, it follows from the address." env:"PARLEY_PUBLIC_URL" placeholder:"URL"`
	Roles  []string `help:"What this node does: api (answers requests), worker (runs jobs, sends messages), realtime (serves sockets)." default:"api,worker,realtime" enum:"api,worker,realtime" env:"PARLEY_ROLES"`

	Simulate bool `help:"Run the simulated providers and connect to them instead of the real ones." env:"PARLEY_SIMULATE"`
	Demo     bool `help:"Seed a demo tenant with a rule and print its keys. Needs --simulate." env:"PARLEY_DEMO"`

	AdminToken  string   `help:"Token of the operator: who sends it may make tenants and keys over the API (/parley/v1, /api/clients). Left out, nobody may." env:"PARLEY_ADMIN_TOKEN" placeholder:"TOKEN"`
	EgressAllow []string `help:"Private address ranges that webhooks may reach, such as 10.1.0.0/16. Public addresses are always allowed." env:"PARLEY_EGRESS_ALLOW" placeholder:"CIDR"`
	GraphURL    string   `help:"Base URL of Meta's Graph API." default:"https://graph.facebook.com" env:"PARLEY_GRAPH_URL" placeholder:"URL"`
	GraphAPI    string   `name:"graph-version" help:"Version of Meta's Graph API." default:"v24.0" env:"PARLEY_GRAPH_VERSION" placeholder:"VERSION"`

	Workers      int           `help:"Jobs run at once." default:"32" env:"PARLEY_WORKERS"`
	Connections  int           `help:"PostgreSQL connections of this node." default:"16" env:"PARLEY_CONNECTIONS"`
	RatePerMin   int           `name:"rate" help:"Requests a minute that one API key may make; 0 means no limit." default:"60000" env:"PARLEY_RATE"`
	TriggerRate  int           `help:"Trigger calls a minute that one API key may make; 0 means no limit." default:"30000" env:"PARLEY_TRIGGER_RATE"`
	SalesRate    int           `name:"sales-rate" help:"Requests a minute that one key of the sales API may make unless it has a rate of its own; 0 means no limit." default:"600" env:"PARLEY_SALES_RATE"`
	MaxBody      int64         `help:"Largest request body in bytes." default:"10485760" env:"PARLEY_MAX_BODY"`
	Sockets      int           `help:"Realtime connections this node accepts." default:"20000" env:"PARLEY_SOCKETS"`
	Grace        time.Duration `help:"How long running requests may finish when the server stops." default:"20s" env:"PARLEY_GRACE"`
	CORSOrigins  []string      `name:"cors-origins" help:"Origins that browsers may call from, with credentials. Left out, every origin may, without." env:"PARLEY_CORS_ORIGINS" placeholder:"ORIGIN"`
	TrustedProxy []string      `name:"trusted-proxies" help:"Addresses of proxies whose X-Forwarded-For is believed." env:"PARLEY_TRUSTED_PROXIES" placeholder:"CIDR"`

	KeepTriggers  int `help:"Days that trigger calls are kept after they have ended; 0 means for ever. Their idempotency keys are known as long." default:"400" env:"PARLEY_KEEP_TRIGGERS" placeholder:"DAYS"`
	KeepRuns      int `help:"Days that runs of automations are kept after they have ended; 0 means for ever." default:"400" env:"PARLEY_KEEP_RUNS" placeholder:"DAYS"`
	KeepDecisions int `help:"Days for which explain knows why an automation did not start; 0 means for ever." default:"30" env:"PARLEY_KEEP_DECISIONS" placeholder:"DAYS"`
	KeepWebhooks  int `help:"Days that webhook deliveries are kept after they have ended; 0 means for ever." default:"90" env:"PARLEY_KEEP_WEBHOOKS" placeholder:"DAYS"`
	KeepEvents    int `help:"Days that the feed of events reaches back, at least 7; 0 means for ever." default:"400" env:"PARLEY_KEEP_EVENTS" placeholder:"DAYS"`

	LogFormat string `help:"Format of the log on stderr." default:"text" enum:"text,json" env:"PARLEY_LOG_FORMAT"`
	LogLevel  string `help:"Least level that is logged." default:"info" enum:"debug,info,warn,error" env:"PARLEY_LOG_LEVEL"`
	Pprof     string `help:"Loopback address for profiles; off when left out." env:"PARLEY_PPROF" placeholder:"HOST:PORT"`
	Env       string `help:"Name of this installation, shown by the health route." default:"production" env:"PARLEY_ENV"`
}

// MinToken is the least length of the operator's token.
const MinToken = 24

// Roles of a node.
const (
	RoleAPI      = "api"
	RoleWorker   = "worker"
	RoleRealtime = "realtime"
)

// Has reports whether the node has a role.
func (s *Server) Has(role string) bool { return slices.Contains(s.Roles, role) }

// Validate checks what the flags' own types cannot. Its errors name the flag.
func (s *Server) Validate() error {
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return fmt.Errorf("--listen wants HOST:PORT, such as 127.0.0.1:8080, not %q", s.Listen)
	}
	if len(s.Roles) == 0 {
		return fmt.Errorf("--roles must name at least one of api, worker, realtime")
	}
	if s.Demo && !s.Simulate {
		return fmt.Errorf("--demo needs --simulate: its messages go to simulated phones")
	}
	if d := s.Database.Database; d != "" && !strings.HasPrefix(d, "postgres://") && !strings.HasPrefix(d, "postgresql://") {
		return fmt.Errorf("--database wants a postgres:// URL; leave it out for the embedded database in --data")
	}
	if n := len(s.AdminToken); n > 0 && n < MinToken {
		return fmt.Errorf("--admin-token must have at least %d characters, not %d", MinToken, n)
	}
	if _, err := Prefixes(s.EgressAllow); err != nil {
		return fmt.Errorf("--egress-allow: %w", err)
	}
	if _, err := Prefixes(s.TrustedProxy); err != nil {
		return fmt.Errorf("--trusted-proxies: %w", err)
	}
	for _, n := range []struct {
		flag  string
		value int
		least int
	}{{"workers", s.Workers, 1}, {"connections", s.Connections, 2}, {"sockets", s.Sockets, 0}, {"rate", s.RatePerMin, 0}, {"trigger-rate", s.TriggerRate, 0}, {"sales-rate", s.SalesRate, 0},
		{"keep-triggers", s.KeepTriggers, 0}, {"keep-runs", s.KeepRuns, 0}, {"keep-decisions", s.KeepDecisions, 0}, {"keep-webhooks", s.KeepWebhooks, 0}, {"keep-events", s.KeepEvents, 0}} {
		if n.value < n.least {
			return fmt.Errorf("--%s must be at least %d, not %d", n.flag, n.least, n.value)
		}
	}
	if s.KeepEvents > 0 && s.KeepEvents < 7 {
		return fmt.Errorf("--keep-events must be 0 or at least 7: clients resume and webhooks are replayed from events of the last days")
	}
	if s.MaxBody < 1024 {
		return fmt.Errorf("--max-body must be at least 1024 bytes")
	}
	return nil
}

// Prefixes reads address ranges; a single address stands for itself.
func Prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("%q is not an address range such as 10.1.0.0/16", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}
