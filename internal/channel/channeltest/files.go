package channeltest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"parley/internal/channel"
	"parley/internal/id"
)

// Files is what a harness brings for a channel that is an Uploader or a
// Fetcher; the fake's provider keeps files for Account.
type Files struct {
	// Held returns the bytes that the provider keeps under an id.
	Held func(providerID string) ([]byte, bool)
	// Keep makes the provider hold a file of somebody's and returns its id.
	Keep func(mime string, data []byte) string
	// Busy makes the next upload and the next fetch fail for a moment.
	Busy func()
}

// photo begins like a JPEG and is no whole number of anything.
func photo() []byte {
	return append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte("pixel"), 20_001)...)
}

func given(data []byte) channel.File {
	return channel.File{Name: `so"fa.jpg`, MIME: "image/jpeg", Size: int64(len(data)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// uploads: the provider has the very bytes, a message may name them, and whatever
// goes wrong may be repeated.
func uploads(t *testing.T, h Harness) {
	up, data := h.Channel.(channel.Uploader), photo()
	name, good, err := up.Upload(context.Background(), h.Account, given(data))
	if err != nil || name == "" || good <= 0 {
		t.Fatalf("%q good for %s: %v", name, good, err)
	}
	if held, ok := h.Files.Held(name); !ok || !bytes.Equal(held, data) {
		t.Fatalf("the provider holds %d bytes, not %d", len(held), len(data))
	}
	m := channel.Outgoing{ID: id.New(), Attempt: 1, To: h.Person, Kind: channel.Image, Media: &channel.Media{ID: name, Own: id.New()}}
	if _, err := h.Channel.Send(context.Background(), h.Account, m); err != nil || h.Arrived() != 1 {
		t.Fatalf("the message that names it: %v, %d arrived", err, h.Arrived())
	}
	h.Files.Busy()
	_, _, err = up.Upload(context.Background(), h.Account, given(data))
	outcome(t, err, channel.Retry)
	_, _, err = up.Upload(context.Background(), h.Unreachable, given(data))
	outcome(t, err, channel.Retry)
	odd := given([]byte("MZ\x90"))
	odd.MIME = "application/x-msdownload"
	_, _, err = up.Upload(context.Background(), h.Account, odd)
	outcome(t, err, channel.Refused)
	broken := given(data)
	broken.Open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("gone") }
	_, _, err = up.Upload(context.Background(), h.Account, broken)
	outcome(t, err, channel.Retry)
	if h.Arrived() != 1 {
		t.Errorf("an upload sent something: %d arrived", h.Arrived())
	}
}

// fetches: the bytes arrive as they are kept; what is gone is refused for good.
func fetches(t *testing.T, h Harness) {
	f, data := h.Channel.(channel.Fetcher), photo()
	name := h.Files.Keep("image/jpeg", data)
	d, err := f.Fetch(context.Background(), h.Account, channel.Media{ID: name})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(d.Body)
	_ = d.Body.Close()
	sum := sha256.Sum256(data)
	if err != nil || !bytes.Equal(got, data) || d.MIME != "image/jpeg" || d.Size != 0 && d.Size != int64(len(data)) || d.SHA256 != "" && d.SHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("%d bytes of %d, %+v, %v", len(got), len(data), d, err)
	}
	h.Files.Busy()
	_, err = f.Fetch(context.Background(), h.Account, channel.Media{ID: name})
	outcome(t, err, channel.Retry)
	for _, m := range []channel.Media{{}, {ID: "0"}, {URL: "http://127.0.0.1/x"}, {URL: "file:///etc/passwd"}} {
		_, err := f.Fetch(context.Background(), h.Account, m)
		outcome(t, err, channel.Refused)
	}
	_, err = f.Fetch(context.Background(), h.Unreachable, channel.Media{ID: name})
	outcome(t, err, channel.Retry)
	if _, err := f.Fetch(context.Background(), h.Other, channel.Media{ID: name}); err == nil {
		t.Error("another account fetched the file")
	}
}
