package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// bareCommand is the hidden first argument by which this program becomes the
// bare server: a process of its own, as Parley is one.
const bareCommand = "serve-bare"

// becomeBound runs one of the hidden commands when the arguments name one.
func becomeBound(args []string) (bound bool, err error) {
	if len(args) < 2 {
		return false, nil
	}
	switch args[1] {
	case bareCommand:
		return true, serveBare(os.Stdin, os.Stdout)
	case fanoutCommand:
		return true, serveFanout(os.Stdin, os.Stdout)
	case receiveCommand:
		return true, serveReceiver(os.Stdin, os.Stdout)
	}
	return false, nil
}

type bareOrder struct {
	Status int
	Answer []byte
}

// serveBare is net/http and a JSON decoder: it reads each body, decodes it, and
// gives the same answer. It reads what to answer, prints where it listens, and
// ends when its input does.
func serveBare(in io.Reader, out io.Writer) error {
	var order bareOrder
	d := json.NewDecoder(in)
	if err := d.Decode(&order); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		b, err := io.ReadAll(r.Body)
		if err == nil && len(b) > 0 {
			err = json.Unmarshal(b, &body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(order.Status)
		_, _ = w.Write(order.Answer)
	})}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startBare starts this program as the bare server.
func startBare(answer []byte, status int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, bareCommand)}
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := spawn(p.cmd); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(in).Encode(bareOrder{status, answer}); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	p.addr = strings.TrimSpace(line)
	p.end = in.Close
	return p, err
}
