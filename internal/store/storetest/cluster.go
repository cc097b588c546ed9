package storetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// cluster is this process's PostgreSQL, started at the first need.
var cluster struct {
	sync.Once
	url  func(db string) string
	err  error
	pipe *os.File // its end ends the cluster; it closes with the process
}

// PostgresURL returns the URL of a fresh, empty database. PARLEY_TEST_POSTGRES
// may name the socket folder of a running cluster whose user "postgres" needs
// no password; otherwise the process starts one of its own.
func PostgresURL(t testing.TB) string {
	t.Helper()
	name := create(t)
	t.Cleanup(func() { admin(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return cluster.url(name)
}

// create makes an empty database, and the cluster if it is the first.
func create(t testing.TB) (name string) {
	t.Helper()
	cluster.Do(func() { cluster.url, cluster.err = start() })
	if cluster.err != nil {
		t.Fatalf("PostgreSQL for tests: %v", cluster.err)
	}
	name = "t" + id.New().String()
	admin(t, "CREATE DATABASE "+name)
	return name
}

// idle are databases that a finished test left empty and migrated: emptying one
// is several times faster than making another.
var idle struct {
	sync.Mutex
	urls []string
}

// empty deletes all rows; no trigger answers by writing into a table that is
// empty already.
const empty = `DO $$ DECLARE t text; BEGIN
	PERFORM set_config('session_replication_role', 'replica', true);
	FOR t IN SELECT tablename FROM pg_tables WHERE schemaname='public' AND tablename<>'goose_db_version'
	LOOP EXECUTE 'DELETE FROM ' || quote_ident(t); END LOOP; END $$`

// pooled returns the URL of a database that is empty but for its schema. Its
// clean-up runs after the caller has closed it.
func pooled(t testing.TB) string {
	t.Helper()
	idle.Lock()
	var url string
	if n := len(idle.urls); n > 0 {
		url, idle.urls = idle.urls[n-1], idle.urls[:n-1]
	}
	idle.Unlock()
	if url == "" {
		url = cluster.url(create(t))
	}
	t.Cleanup(func() {
		if err := store.Admin(context.Background(), url, empty); err != nil {
			t.Logf("the test database is not used again: %v", err)
			return
		}
		idle.Lock()
		idle.urls = append(idle.urls, url)
		idle.Unlock()
	})
	return url
}

func admin(t testing.TB, q string) {
	t.Helper()
	if err := store.Admin(context.Background(), cluster.url("postgres"), q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func start() (func(string) string, error) {
	if dir := os.Getenv("PARLEY_TEST_POSTGRES"); dir != "" {
		return socketURL(dir), nil
	}
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "parleypg")
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"--no-sync", "-E", "UTF8", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %v: %s", err, out)
	}
	// The shell holds the read end of a pipe; when this process ends, however it
	// ends, the pipe closes and the cluster stops.
	script := `"$1/postgres" -D "$2" -k "$3" -c listen_addresses= -c fsync=` + fsync() + ` -c max_connections=300 \
-c shared_buffers=128MB -c autovacuum_naptime=10s >"$3/log" 2>&1 & pid=$!
cat >/dev/null; kill -INT $pid; wait $pid; rm -rf "$3/data" "$3"`
	sh := exec.Command("/bin/sh", "-c", script, "sh", bin, data, dir)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	sh.Stdin, sh.Dir, sh.SysProcAttr = r, dir, &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	if err := sh.Start(); err != nil {
		return nil, err
	}
	_ = r.Close()
	cluster.pipe = w
	url := socketURL(dir)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := store.Admin(context.Background(), url("postgres"), "SELECT 1")
		if err == nil {
			return url, nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return nil, fmt.Errorf("the cluster did not start: %v: %s", err, log)
		}
	}
}

func fsync() string {
	if os.Getenv("PARLEY_TEST_FSYNC") == "on" {
		return "on"
	}
	return "off"
}

func socketURL(dir string) func(string) string {
	return func(db string) string { return "postgres://postgres@/" + db + "?host=" + dir }
}

// binaries finds the newest installed PostgreSQL.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	sort.Strings(found)
	if n := len(found); n > 0 {
		return filepath.Dir(found[n-1]), nil
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", fmt.Errorf("no PostgreSQL binaries are installed; run `make test`, which installs them, or install the package postgresql")
}

// unprivileged returns the account to run PostgreSQL under: it refuses root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("PostgreSQL refuses to run as root, and neither account postgres nor nobody exists")
}
