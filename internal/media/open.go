package media

import (
	"context"
	"errors"
	"io"

	"parley/internal/id"
	"parley/internal/store"
)

// Reader reads a file chunk by chunk, from any place in it. It is for one
// goroutine.
type Reader struct {
	File
	r    store.Reader
	at   int64
	data []byte // the chunk that holds at
	n    int    // its number, -1 at first
}

var _ io.ReadSeekCloser = (*Reader)(nil)

// Open returns a file's bytes. Fault: NotFound.
func (s *Service) Open(ctx context.Context, tenantID, file id.ID) (*Reader, error) {
	r := s.db.Read(ctx, tenantID)
	f, err := s.Get(r, file)
	if err != nil {
		return nil, err
	}
	return &Reader{File: f, r: r, n: -1}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.at >= r.Size {
		return 0, io.EOF
	}
	if n := int(r.at / ChunkSize); n != r.n {
		data, err := chunk(r.r, r.ID, n)
		if err != nil {
			return 0, err
		}
		r.data, r.n = data, n
	}
	from := int(r.at % ChunkSize)
	if from >= len(r.data) {
		return 0, errGone // the chunk is shorter than the file says
	}
	n := copy(p, r.data[from:])
	r.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.Size
	}
	if offset < 0 {
		return 0, errors.New("media: a place before the beginning")
	}
	r.at = offset
	return offset, nil
}

// Close implements io.Closer. A Reader holds nothing open.
func (r *Reader) Close() error { return nil }
