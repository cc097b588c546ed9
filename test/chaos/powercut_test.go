package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/id"
	"parley/internal/store"
)

// disk is the file layer that forgets what was not synced (powercut/shim.c),
// for the files of one folder.
type disk struct{ shim, root, logs string }

// newDisk compiles the layer; without a C compiler the test is skipped.
func newDisk(t testing.TB, root string) *disk {
	t.Helper()
	long(t)
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler (cc): the power cut needs one for its file layer and for the C SQLite")
	}
	shim := filepath.Join(work, "powercut.so")
	if _, err := os.Stat(shim); err != nil {
		if out, err := exec.Command(cc, "-shared", "-fPIC", "-O2", "-o", shim, filepath.Join("powercut", "shim.c"), "-ldl", "-lpthread").CombinedOutput(); err != nil {
			t.Fatalf("compile the file layer: %v\n%s", err, out)
		}
	}
	logs, err := os.MkdirTemp(work, "undo")
	if err != nil {
		t.Fatal(err)
	}
	return &disk{shim: shim, root: root, logs: logs}
}

func (d *disk) env() []string {
	return []string{"LD_PRELOAD=" + d.shim, "POWERCUT_ROOT=" + d.root, "POWERCUT_LOG=" + d.logs}
}

// change is one unsynced change of a file, as the layer recorded it.
type change struct {
	truncate     bool
	offset, size int64  // size: of the file before
	old          []byte // what it replaced
	fresh        []byte // what it wrote; nil for a truncation
}

// cut brings every file to a state that a disk could have after a loss of power:
// what was synced is there; of the rest each sector of 512 bytes of each write
// with the chance keep. It returns the number of changes that were not synced
// and of sectors that were dropped. The process must be dead.
func (d *disk) cut(t testing.TB, rng *rand.Rand, keep float64) (changes, dropped int) {
	t.Helper()
	undo, err := filepath.Glob(filepath.Join(d.logs, "*.undo"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range undo {
		file := filepath.Join(d.root, strings.TrimSuffix(filepath.Base(log), ".undo"))
		list := readChanges(t, log)
		if len(list) > 0 {
			dropped += rollBack(t, file, list, rng, keep)
		}
		changes += len(list)
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
	marks, _ := filepath.Glob(filepath.Join(d.logs, "*.new"))
	for _, m := range marks { // its name was never synced
		name := strings.TrimSuffix(filepath.Base(m), ".new")
		if rng.Float64() >= keep {
			_ = os.Remove(filepath.Join(d.root, name))
			dropped++
		}
		_ = os.Remove(m)
	}
	shm, _ := filepath.Glob(filepath.Join(d.root, "*-shm"))
	for _, f := range shm {
		_ = os.Remove(f)
	}
	return changes, dropped
}

// readChanges reads an undo log; a record that the kill cut short describes a
// write that was never made.
func readChanges(t testing.TB, log string) []change {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var list []change
	const head = 5 * 8
	for len(b) >= head {
		n := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
		kind, length, old := n(0), n(2), n(3)
		if kind != 1 && kind != 2 {
			t.Fatalf("%s: a record of kind %d", log, kind)
		}
		if int64(len(b)-head) < old {
			break
		}
		c := change{truncate: kind == 2, offset: n(1), size: n(4), old: bytes.Clone(b[head : head+old])}
		if !c.truncate {
			c.fresh = make([]byte, length)
		}
		list = append(list, c)
		b = b[head+old:]
	}
	return list
}

const sector = 512

// rollBack undoes the changes of a file, the last first, and then does a random
// part of them again.
func rollBack(t testing.TB, file string, list []change, rng *rand.Rand, keep float64) (dropped int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		c := &list[i]
		if !c.truncate && c.offset < int64(len(data)) {
			n := copy(c.fresh, data[c.offset:])
			c.fresh = c.fresh[:n] // the last write may not have been made in full
		} else if !c.truncate {
			c.fresh = nil
		}
		data = resize(data, c.size)
		copy(data[min(c.offset, c.size):], c.old)
	}
	for _, c := range list {
		if c.truncate {
			if rng.Float64() < keep {
				data = resize(data, c.offset)
			} else {
				dropped++
			}
			continue
		}
		for at := int64(0); at < int64(len(c.fresh)); {
			to := min(int64(len(c.fresh)), (c.offset+at)/sector*sector+sector-c.offset)
			if rng.Float64() < keep {
				if end := c.offset + to; end > int64(len(data)) {
					data = resize(data, end)
				}
				copy(data[c.offset+at:], c.fresh[at:to])
			} else {
				dropped++
			}
			at = to
		}
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dropped
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// chances are the kinds of cuts: everything unsynced is gone, or a part of it,
// torn between the sectors.
var chances = []float64{0, 0.5, 0.9, 0.1}

// TestPowerCut takes the power from the server again and again, with what SQLite
// had not synced: nothing that was acknowledged is lost.
func TestPowerCut(t *testing.T) {
	long(t)
	cuts := count(t, 4, 20)
	begun := time.Now()
	rng := dice(t)
	w := newWorld(t)
	d := newDisk(t, "")
	p := newProc(t, build(t, "parley/cmd/parley", "mattn"), "", w.base)
	d.root, p.env = p.data, nil
	p.env = d.env()
	p.start(t)
	c := w.setUp(t, p)
	l := begin(t, w, c)
	changes, dropped := 0, 0
	for n := 1; n <= cuts; n++ {
		time.Sleep(moment(rng, 300, 1500)) // the moment of the cut is the point
		p.kill()
		was, gone := d.cut(t, rng, chances[n%len(chances)])
		changes, dropped = changes+was, dropped+gone
		integrity(t, filepath.Join(p.data, "parley.db"))
		p.start(t)
		if broken := p.verify(t); len(broken) > 0 {
			t.Errorf("after cut %d: %v", n, broken)
		}
	}
	time.Sleep(moment(rng, 200, 800))
	l.stop()
	t.Logf("%d cuts met %d unsynced changes and dropped %d sectors or lengths", cuts, changes, dropped)
	if dropped == 0 {
		t.Error("no cut dropped anything: the layer sees no writes, or none was ever unsynced")
	}
	finish(t, w, c, l.j, summary{name: "power cut, SQLite", kills: cuts, begun: begun})
}

// TestPowerCutCanFail proves the layer: what is committed without a sync is lost
// by a cut, what is committed with one is not.
func TestPowerCutCanFail(t *testing.T) {
	long(t)
	rng := dice(t)
	for _, unsynced := range []bool{true, false} {
		for _, keep := range []float64{0, 0.5} {
			t.Run(fmt.Sprintf("unsynced=%v,keep=%v", unsynced, keep), func(t *testing.T) {
				dir := t.TempDir()
				d := newDisk(t, dir)
				told := write(t, d, unsynced)
				changes, dropped := d.cut(t, rng, keep)
				have, err := rowsOf(filepath.Join(dir, "parley.db"))
				t.Logf("acknowledged %d rows, %d unsynced changes, dropped %d; left %d rows (%v)", told, changes, dropped, have, err)
				switch {
				case told < 50:
					t.Fatalf("only %d rows were written", told)
				case unsynced && err == nil && have >= told:
					t.Errorf("all %d rows are there although nothing was synced: the layer drops nothing", told)
				case !unsynced && (err != nil || have < told):
					t.Errorf("%d of %d synced rows are left (%v)", have, told, err)
				}
			})
		}
	}
}

// write runs the writer until it has acknowledged some rows, kills it, and
// returns how many it acknowledged.
func write(t *testing.T, d *disk, unsynced bool) int {
	t.Helper()
	cmd := exec.Command(build(t, "parley/test/chaos/powercut/writer", "mattn"), "-path", filepath.Join(d.root, "parley.db"), "-unsynced="+strconv.FormatBool(unsynced))
	cmd.Env = append(os.Environ(), d.env()...)
	var bad bytes.Buffer
	cmd.Stderr = &bad
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if told, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if told == 300 {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); told < 300 {
		t.Fatalf("the writer ended by itself: %v %s", err, bad.String())
	}
	return told
}

// rowsOf counts the writer's rows; a file that cannot be read any more has none.
func rowsOf(file string) (n int, err error) {
	db, err := store.Open(context.Background(), store.Options{Path: file})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.Read(context.Background(), id.Zero).All().QueryRow("SELECT COUNT(*) FROM job_cron WHERE name LIKE 'row %'").Scan(&n)
	return n, err
}
