package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Put streams a file in and returns it once it is on disk. The type is told by
// the first bytes. An upload must be of a type and size that can be sent; what a
// contact sent may be of any type. Nothing stays of a file that breaks off.
//
// Faults: Invalid of field "file" (empty, or of a type that cannot be sent);
// TooLarge; those of reading body.
func (s *Service) Put(ctx context.Context, tenantID id.ID, n NewFile, body io.Reader) (File, error) {
	buf := make([]byte, ChunkSize)
	got, err := fill(body, buf)
	if err != nil {
		return File{}, err
	}
	if got == 0 {
		return File{}, fault.Field("file", "the file is empty")
	}
	f, limit, err := n.judge(buf[:got])
	if err != nil {
		return File{}, err
	}
	f.ID, f.Tenant = id.New(), tenantID
	if int64(got) > limit {
		return File{}, tooLarge(f.Kind, limit)
	}
	w := &intake{s: s, ctx: ctx, f: f, limit: limit}
	if err := w.take(body, buf, got); err != nil {
		// What lies there already goes at once; the sweep gets what this misses.
		_ = s.Delete(context.WithoutCancel(ctx), tenantID, f.ID)
		return File{}, err
	}
	return s.Get(s.db.Read(ctx, tenantID), f.ID)
}

// judge tells what a file is by its first bytes, and how long it may be.
func (n NewFile) judge(head []byte) (File, int64, error) {
	f := File{Filename: tidyName(n.Filename), Origin: n.Origin, MIME: sniff(head, n.MIME, n.Filename)}
	f.Kind = KindOf(f.MIME)
	limit := n.Limit
	if n.Origin == Inbound {
		if f.Kind == "" && bare(n.MIME) != "" {
			f.MIME = bare(n.MIME) // only told, never acted upon: see Shown
		}
		if f.Kind = n.Kind; f.Kind == "" {
			f.Kind = channel.Document
		}
		if limit == 0 {
			limit = MaxFile
		}
		return f, limit, nil
	}
	if f.Kind == "" {
		return f, 0, fault.Field("file", "files of type %s cannot be sent; upload JPEG, PNG, WebP, MP4, 3GPP, AAC, AMR, MP3, OGG, PDF, text or office files", f.MIME)
	}
	if n.Kind != "" {
		if err := f.Fits(n.Kind); err != nil {
			return f, 0, err
		}
	}
	if limit == 0 {
		limit = Limit(f.Kind)
	}
	return f, limit, nil
}

func tooLarge(kind string, limit int64) error {
	e := fault.New(fault.TooLarge, "the file is too large: a file of kind %s may have %d bytes", kind, limit)
	e.Field = "file"
	return e
}

// intake is one file on its way in.
type intake struct {
	s     *Service
	ctx   context.Context
	f     File
	limit int64
}

// take writes the chunks: the first is in buf already.
func (w *intake) take(body io.Reader, buf []byte, got int) error {
	if err := w.write(func(tx *store.Tx) error { return beginIn(tx, w.f) }); err != nil {
		return err
	}
	sum, total := sha256.New(), int64(0)
	for n := 0; got > 0; n++ {
		data := bytes.Clone(buf[:got]) // a caller that goes away leaves its write in the queue
		if total += int64(got); total > w.limit {
			return tooLarge(w.f.Kind, w.limit)
		}
		sum.Write(data)
		if err := w.write(func(tx *store.Tx) error { return chunkIn(tx, w.f.ID, n, data) }); err != nil {
			return err
		}
		if got < len(buf) {
			break
		}
		var err error
		if got, err = fill(body, buf); err != nil {
			return err
		}
	}
	return w.write(func(tx *store.Tx) error { return finishIn(tx, w.f.ID, hex.EncodeToString(sum.Sum(nil))) })
}

func (w *intake) write(fn func(tx *store.Tx) error) error {
	return w.s.db.Write(w.ctx, w.f.Tenant, fn)
}

// fill reads until buf is full or the body ends. A body that breaks off is an
// error, unlike one that ends.
func fill(body io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		got, err := body.Read(buf[n:])
		n += got
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
