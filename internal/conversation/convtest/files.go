package convtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"parley/internal/channel"
	"parley/internal/job"
	"parley/internal/media"
)

// Runner starts the room's jobs; they end with stop.
func (w *World) Runner(poll time.Duration) (stop func()) {
	r := job.NewRunner(w.DB, job.Options{Node: "convtest", Workers: 2, Poll: poll, Clock: w.Clock})
	w.Conversations.RegisterJobs(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	return func() { cancel(); <-done }
}

// Upload stores a PDF of a size, as a client does.
func (w *World) Upload(t T, size int) media.File {
	t.Helper()
	f, err := w.Conversations.Files().Put(context.Background(), w.Tenant, media.NewFile{Filename: "offer.pdf", Origin: media.Upload}, bytes.NewReader(PDF(size)))
	if err != nil {
		t.Fatalf("upload: %v", err)
	}
	return f
}

// PDF makes bytes that begin like one.
func PDF(size int) []byte {
	return append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("x"), max(0, size-9))...)
}

// OnUpload sets what Upload does; nil takes every file.
func (c *Channel) OnUpload(f func(n int, got []byte) (string, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upload = f
}

// OnFetch sets what Fetch does; nil knows no file.
func (c *Channel) OnFetch(f func(n int, m channel.Media) (channel.Download, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetch = f
}

// Carried returns how many files came up and how many were fetched.
func (c *Channel) Carried() (up, down int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ups, c.downs
}

// Upload implements channel.Uploader.
func (c *Channel) Upload(ctx context.Context, _ channel.Account, f channel.File) (string, time.Duration, error) {
	c.mu.Lock()
	c.ups++
	n, answer := c.ups, c.upload
	c.mu.Unlock()
	body, err := f.Open(ctx)
	if err != nil {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: err.Error()}
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		return "", 0, &channel.SendError{Outcome: channel.Retry, Title: err.Error()}
	}
	if answer == nil {
		return fmt.Sprintf("file.%d", n), time.Hour, nil
	}
	id, err := answer(n, got)
	return id, time.Hour, err
}

// Fetch implements channel.Fetcher.
func (c *Channel) Fetch(_ context.Context, _ channel.Account, m channel.Media) (channel.Download, error) {
	c.mu.Lock()
	c.downs++
	n, answer := c.downs, c.fetch
	c.mu.Unlock()
	if answer == nil {
		return channel.Download{}, &channel.SendError{Outcome: channel.Refused, Title: "there is no such file"}
	}
	return answer(n, m)
}

// Given is a download of bytes.
func Given(data []byte, mime string) (channel.Download, error) {
	return channel.Download{Body: io.NopCloser(bytes.NewReader(data)), MIME: mime, Size: int64(len(data))}, nil
}
