package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// fanoutCommand is the hidden first argument by which this program becomes the
// bound of live delivery: a process that writes the same bytes to as many
// connections, and does nothing else.
const fanoutCommand = "serve-fanout"

// serveFanout accepts connections and, told "messages size" on a line, writes
// so many websocket frames to each of them.
func serveFanout(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			fmt.Fprintln(out, "in")
		}
	}()
	defer l.Close()
	var messages, size int
	if _, err := fmt.Fscan(in, &messages, &size); err != nil {
		return nil // its input ended
	}
	frame := frameOf(size)
	mu.Lock()
	defer mu.Unlock()
	var wg sync.WaitGroup
	share := (len(conns) + runtime.NumCPU() - 1) / runtime.NumCPU()
	for part := range slices.Chunk(conns, max(1, share)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range messages {
				for _, c := range part {
					_, _ = c.Write(frame)
				}
			}
		}()
	}
	wg.Wait()
	_, _ = io.Copy(io.Discard, in)
	return nil
}

// frameOf is an unmasked text frame whose message has size bytes.
func frameOf(size int) []byte {
	f := []byte{0x81}
	if size < 126 {
		f = append(f, byte(size))
	} else {
		f = append(f, 126, byte(size>>8), byte(size))
	}
	return append(f, "4"+strings.Repeat("x", max(0, size-1))...)
}

// bareFanout returns how many messages a second plain writes bring to n
// connections of the same crowd.
func bareFanout(n, size, messages int) (rate float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, fanoutCommand)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := spawn(cmd); err != nil {
		return 0, err
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	lines := bufio.NewReader(out)
	addr, err := lines.ReadString('\n')
	if err != nil {
		return 0, err
	}
	all, err := dialAll(n, func() (net.Conn, *bufio.Reader, error) {
		c, err := net.Dial("tcp", strings.TrimSpace(addr))
		if err != nil {
			return nil, nil, err
		}
		return c, bufio.NewReaderSize(c, 2048), nil
	})
	if err != nil {
		return 0, err
	}
	defer all.close()
	for range n { // every one of them was accepted
		if _, err := lines.ReadString('\n'); err != nil {
			return 0, err
		}
	}
	got, _, took, err := all.during(func() error { _, err := fmt.Fprintln(in, messages, size); return err })
	return float64(got) / took.Seconds(), err
}

func median(all []float64) float64 {
	all = slices.Clone(all)
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
