// Package arch holds the architecture as a test: who may import whom, and how
// large a file may grow (DESIGN §2). It fails the build when a rule is broken.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "parley"

// pkg is one package of the house as its files tell it.
type pkg struct {
	path    string // without the module, e.g. "internal/store"
	imports map[string][]string
	doc     bool
	calls   map[string][]string // selectors such as http.Client{, by file
	lines   map[string]int
}

// parts of the house by their role. A room not listed here fails the test, so
// that a new one has to say what it is.
var (
	ground    = []string{"event", "job", "store", "fault", "httpx", "egress", "id", "clock", "secret", "phone", "config", "telemetry", "idempotency", "filter"}
	domain    = []string{"tenant", "access", "token", "account", "agent", "handover", "contact", "deal", "conversation", "media", "intake", "interaction", "entity", "quote", "campaign", "record", "portal", "segment"}
	reactions = []string{"automation", "bulk", "webhook", "notification", "app", "realtime", "absence"}
	outward   = []string{"outbox"}
	edges     = []string{"channel", "simulator", "face", "server", "verify"}
	nounless  = []string{"event", "job", "store", "id", "clock", "filter"}
	// transports are parts of a room that meet the network and nothing else.
	transports = []string{"internal/realtime/socketio"}
	drivers    = []string{"modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx/v5", "github.com/lib/pq"}
)

func TestRules(t *testing.T) {
	pkgs := load(t)
	nouns := append(append(append([]string{}, domain...), reactions...), outward...)
	for _, p := range pkgs {
		if !p.doc {
			t.Errorf("%s has no package comment", p.path)
		}
		for file, n := range p.lines {
			if n > 800 {
				t.Errorf("%s has %d lines; 800 are the limit", file, n)
			}
		}
		room := roomOf(p.path)
		if room == "" {
			for file, imports := range p.imports {
				for _, imp := range imports {
					if strings.HasPrefix(p.path, "sdk/") && strings.HasPrefix(imp, module+"/internal/") {
						t.Errorf("%s imports %s: the client imports nothing of internal/", file, imp)
					}
				}
			}
			continue
		}
		all := slices.Concat(ground, domain, reactions, outward, edges)
		if !slices.Contains(all, room) {
			t.Errorf("%s: the room %q has no place in the rules; give it one in test/arch", p.path, room)
		}
		for file, imports := range p.imports {
			for _, imp := range imports {
				check(t, p, room, file, imp, nouns)
			}
		}
		for file, uses := range p.calls {
			for _, u := range uses {
				if room != "egress" && !strings.HasSuffix(file, "_test.go") {
					t.Errorf("%s builds %s; only egress builds outbound clients", file, u)
				}
			}
		}
	}
}

func check(t *testing.T, p *pkg, room, file, imp string, nouns []string) {
	t.Helper()
	test := strings.HasSuffix(file, "_test.go")
	own := strings.TrimPrefix(imp, module+"/")
	target := ""
	if own != imp {
		target = roomOf(own)
	}
	noun := slices.Contains(nouns, room)
	switch {
	case test: // tests may reach for what they need, but not for another face
		if room == "face" && target == "face" && face(own) != face(p.path) {
			t.Errorf("%s imports %s: faces never import each other", file, imp)
		}
		return
	case noun && target == "face":
		t.Errorf("%s imports %s: domain and reactions never import a face", file, imp)
	case noun && target == "channel" && own != "internal/channel":
		t.Errorf("%s imports %s: domain and reactions know channels only by their interface", file, imp)
	case noun && imp == "net/http" && !slices.Contains(transports, p.path) && !strings.HasSuffix(p.path, "test"): // rigs of tests may
		t.Errorf("%s imports net/http: domain and reactions speak no HTTP", file)
	case room != "store" && driver(imp):
		t.Errorf("%s imports the driver %s: only store does", file, imp)
	case room == "face" && target == "face" && face(own) != face(p.path):
		t.Errorf("%s imports %s: faces never import each other", file, imp)
	case room == "face" && (target == "store" || imp == "database/sql"):
		t.Errorf("%s imports %s: faces know no database", file, imp)
	case slices.Contains(nounless, room) && (slices.Contains(nouns, target) || target == "face" || target == "channel"):
		t.Errorf("%s imports %s: %s knows no noun", file, imp, room)
	case target == "server" && room != "":
		t.Errorf("%s imports %s: only commands and end-to-end tests do", file, imp)
	case strings.HasPrefix(own, "cmd/"):
		t.Errorf("%s imports a command", file)
	case strings.HasSuffix(own, "test") && target != "" && strings.Contains(own, "/") && !strings.HasSuffix(p.path, "test"):
		t.Errorf("%s imports the test package %s", file, imp)
	}
}

func driver(imp string) bool {
	return slices.ContainsFunc(drivers, func(d string) bool { return imp == d || strings.HasPrefix(imp, d+"/") })
}

// roomOf names the room of a package below internal/, or "".
func roomOf(path string) string {
	rest, ok := strings.CutPrefix(path, "internal/")
	if !ok {
		return ""
	}
	room, _, _ := strings.Cut(rest, "/")
	return room
}

func face(path string) string {
	parts := strings.Split(path, "/")
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// TestNoForbiddenNames keeps rooms that mean nothing out of the house.
func TestNoForbiddenNames(t *testing.T) {
	for _, p := range load(t) {
		switch filepath.Base(p.path) {
		case "util", "utils", "common", "helpers", "helper", "models", "misc":
			t.Errorf("%s: name the package by what it owns", p.path)
		}
	}
}

func load(t *testing.T) map[string]*pkg {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pkgs := map[string]*pkg{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case "node_modules", ".git", "data", "bin", "testdata", "web":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return add(pkgs, path, filepath.ToSlash(rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 10 {
		t.Fatalf("only %d packages found; the test looks in the wrong place", len(pkgs))
	}
	return pkgs
}

func add(pkgs map[string]*pkg, path, rel string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := filepath.ToSlash(filepath.Dir(rel))
	p := pkgs[dir]
	if p == nil {
		p = &pkg{path: dir, imports: map[string][]string{}, calls: map[string][]string{}, lines: map[string]int{}}
		pkgs[dir] = p
	}
	p.doc = p.doc || f.Doc != nil || onlyTests(dir, f)
	p.lines[rel] = strings.Count(string(src), "\n")
	for _, i := range f.Imports {
		imp, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return err
		}
		p.imports[rel] = append(p.imports[rel], imp)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.CompositeLit); ok {
			if s, ok := c.Type.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" && (s.Sel.Name == "Client" || s.Sel.Name == "Transport") {
					p.calls[rel] = append(p.calls[rel], "an http."+s.Sel.Name)
				}
			}
		}
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" && (s.Sel.Name == "DefaultClient" || s.Sel.Name == "DefaultTransport") {
				p.calls[rel] = append(p.calls[rel], "http."+s.Sel.Name)
			}
		}
		return true
	})
	return nil
}

// onlyTests excuses the package comment of a file that belongs to an external
// test package in a folder of its own.
func onlyTests(dir string, f *ast.File) bool {
	return strings.HasPrefix(dir, "test/") && strings.HasSuffix(f.Name.Name, "_test")
}
