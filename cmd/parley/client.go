package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"parley/internal/config"
	"parley/internal/server"
)

// client calls the admin API: of the running server through the command socket,
// or, when none runs, of the database opened in this process.
type client struct {
	live  bool // a server runs
	do    func(*http.Request) (*http.Response, error)
	close func()
}

// connect finds the running server or opens the database.
func connect(ctx context.Context, d config.Database) (*client, error) {
	var lock *server.Lock
	if d.Database == "" {
		if c := dial(d.Data); c != nil {
			return c, nil
		}
		var err error
		if lock, err = server.TakeLock(d.Data); errors.Is(err, server.ErrLocked) {
			return nil, fmt.Errorf("a server holds the data folder %s but does not answer on its command socket; is it still starting?", d.Data)
		} else if err != nil {
			return nil, err
		}
	} // PostgreSQL is shared: a command opens the database it was told, whatever server runs on the data folder
	app, err := server.OpenForCommand(ctx, d)
	if err != nil {
		lock.Release()
		return nil, err
	}
	return &client{
		do:    func(r *http.Request) (*http.Response, error) { return local(app.Command(), r), nil },
		close: func() { _ = app.Close(); lock.Release() },
	}, nil
}

// dial returns a client of the server that runs on a data folder, or nil.
func dial(data string) *client {
	path, err := server.SocketPath(data)
	if err != nil {
		return nil
	}
	probe, err := net.DialTimeout("unix", path, 2*time.Second)
	if err != nil {
		return nil
	}
	_ = probe.Close()
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	h := &http.Client{Transport: t}
	return &client{live: true, do: h.Do, close: t.CloseIdleConnections}
}

// call sends in as JSON and reads the answer into out (nil: ignored).
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://parley"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.do(r)
	if err != nil {
		return fmt.Errorf("the server did not answer on its command socket: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return refusal(resp.StatusCode, b)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, out)
}

// refusal turns an error answer into the sentence it carries.
func refusal(status int, body []byte) error {
	var e struct {
		Error struct{ Field, Message string }
	}
	if json.Unmarshal(body, &e) != nil || e.Error.Message == "" {
		return fmt.Errorf("the server answered with status %d", status)
	}
	return errors.New(sentence(e.Error.Field, e.Error.Message))
}

// local calls a handler in this process.
func local(h http.Handler, r *http.Request) *http.Response {
	w := &answer{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body)}
}

type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// with runs f with a client and closes it.
func with(d config.Database, f func(ctx context.Context, c *client) error) error {
	ctx, stop := interruptible()
	defer stop()
	c, err := connect(ctx, d)
	if err != nil {
		return err
	}
	defer c.close()
	return f(ctx, c)
}
