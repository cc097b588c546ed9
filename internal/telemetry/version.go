package telemetry

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// Build says what this binary was built from.
type Build struct {
	Version  string // the module's version, "dev" for a working tree
	Commit   string // the full revision, "" when unknown
	Time     string // the commit's time, RFC 3339
	Modified bool   // the working tree had changes
	Go       string
}

// version and revision are set by the linker where the source has no history
// beside it, such as in a container's build: -X parley/internal/telemetry.version=v1.2.3
var version, revision string

// BuildInfo reads what the Go tool recorded in the binary.
var BuildInfo = sync.OnceValue(func() Build {
	b := Build{Version: "dev", Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		b = fromInfo(info)
	}
	if version != "" {
		b.Version = version
	}
	if b.Commit == "" {
		b.Commit = revision
	}
	return b
})

func fromInfo(info *debug.BuildInfo) Build {
	b := Build{Version: info.Main.Version, Go: info.GoVersion}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "dev"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Version returns one line for people: "v1.2.3", or "dev (1a2b3c4d5e6f, modified)".
func Version() string { return BuildInfo().String() }

// String is the line that Version returns.
func (b Build) String() string {
	if b.Commit == "" || b.Version != "dev" {
		return b.Version
	}
	s := b.Version + " (" + b.Commit[:min(12, len(b.Commit))]
	if b.Modified {
		s += ", modified"
	}
	return s + ")"
}
