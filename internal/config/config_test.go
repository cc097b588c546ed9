package config

import (
	"reflect"
	"strings"
	"testing"
)

// Scripts rely on it: the variable of a flag is its name in capitals.
func TestEveryFlagHasItsVariable(t *testing.T) {
	var walk func(t2 reflect.Type)
	seen := 0
	walk = func(t2 reflect.Type) {
		for i := 0; i < t2.NumField(); i++ {
			f := t2.Field(i)
			if f.Anonymous {
				walk(f.Type)
				continue
			}
			flag := f.Tag.Get("name")
			if flag == "" {
				flag = dashed(f.Name)
			}
			want := "PARLEY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
			if got := f.Tag.Get("env"); got != want {
				t.Errorf("--%s has the variable %q, want %q", flag, got, want)
			}
			if f.Tag.Get("help") == "" {
				t.Errorf("--%s has no help", flag)
			}
			seen++
		}
	}
	walk(reflect.TypeOf(Server{}))
	if seen < 20 {
		t.Fatalf("only %d settings were looked at", seen)
	}
}

func TestValidateNamesTheFlag(t *testing.T) {
	good := Server{Listen: "127.0.0.1:0", Roles: []string{"api"}, MaxBody: 1 << 20, Workers: 1, Connections: 2}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for flag, change := range map[string]func(*Server){
		"--listen":          func(s *Server) { s.Listen = "8080" },
		"--roles":           func(s *Server) { s.Roles = nil },
		"--demo":            func(s *Server) { s.Demo = true },
		"--database":        func(s *Server) { s.Database.Database = "mysql://x" },
		"--egress-allow":    func(s *Server) { s.EgressAllow = []string{"10.0.0.0/99"} },
		"--trusted-proxies": func(s *Server) { s.TrustedProxy = []string{"proxy"} },
		"--workers":         func(s *Server) { s.Workers = -1 },
		"--sockets":         func(s *Server) { s.Sockets = -1 },
		"--keep-runs":       func(s *Server) { s.KeepRuns = -1 },
		"--keep-events":     func(s *Server) { s.KeepEvents = 3 },
		"--max-body":        func(s *Server) { s.MaxBody = 1 },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// dashed spells a field like its flag: MaxBody, max-body.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && !(name[i-1] >= 'A' && name[i-1] <= 'Z') {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
