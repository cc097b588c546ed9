package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"parley/internal/clock"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/media"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

type world struct {
	db    *store.DB
	clock *clock.Fake
	files *media.Service
	id    id.ID
	used  map[id.ID]bool
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		box, err := secret.NewBox(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		tenants := tenant.New(db, box)
		made, err := tenants.Create(bg, tenant.NewTenant{Name: "Acme"})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{db: db, clock: c, files: media.New(db, tenants), id: made.ID, used: map[id.ID]bool{}}
		w.files.UsedBy(func(_ store.Reader, file id.ID) (bool, error) { return w.used[file], nil })
		f(t, w)
	}, storetest.Clock(c))
}

func (w *world) rows(t *testing.T, table string) int {
	t.Helper()
	var n int
	if err := w.db.Read(bg, w.id).QueryRow("SELECT COUNT(*) FROM " + table + " WHERE tenant_id=?").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func pdf(size int) []byte {
	b := append([]byte("%PDF-1.7\n"), make([]byte, max(0, size-9))...)
	for i := 9; i < len(b); i++ {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}

func TestAFileComesBackAsItWent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, size := range []int{10, media.ChunkSize - 1, media.ChunkSize, media.ChunkSize + 1, 3*media.ChunkSize + 17} {
			data := pdf(size)
			f, err := w.files.Put(bg, w.id, media.NewFile{Filename: "a.pdf", Origin: media.Upload}, iotest.HalfReader(bytes.NewReader(data)))
			if err != nil || f.Size != int64(size) || f.MIME != "application/pdf" || f.Kind != "document" || f.Filename != "a.pdf" {
				t.Fatalf("%d bytes: %+v %v", size, f, err)
			}
			r, err := w.files.Open(bg, w.id, f.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, data); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
		}
	})
}

func TestWhatBreaksOffLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		broken := errors.New("broken")
		for name, body := range map[string]io.Reader{
			"at once":       iotest.ErrReader(broken),
			"in the middle": io.MultiReader(bytes.NewReader(pdf(2*media.ChunkSize+5)), iotest.ErrReader(broken)),
			"as multipart":  io.MultiReader(bytes.NewReader(pdf(media.ChunkSize+5)), iotest.ErrReader(io.ErrUnexpectedEOF)),
		} {
			if _, err := w.files.Put(bg, w.id, media.NewFile{Origin: media.Upload}, body); !errors.Is(err, broken) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %v", name, err)
			}
			if w.rows(t, "media") != 0 || w.rows(t, "media_chunk") != 0 {
				t.Fatalf("%s: something stayed", name)
			}
		}
		_, err := w.files.Put(bg, w.id, media.NewFile{Origin: media.Upload, Limit: media.ChunkSize + 10}, bytes.NewReader(pdf(media.ChunkSize+11)))
		if f := fault.As(err); f == nil || f.Code != fault.TooLarge || w.rows(t, "media_chunk") != 0 {
			t.Fatalf("a file that is too large: %v", err)
		}
	})
}

// The bytes decide what a file is, not its name.
func TestTypes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mp4 := "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
		for _, c := range []struct{ name, declared, data, mime string }{
			{"a.jpg", "image/png", "\xff\xd8\xff\xe0....", "image/jpeg"},
			{"a.webp", "", "RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"},
			{"a.mp4", "", mp4, "video/mp4"},
			{"a.m4a", "", mp4, "audio/mp4"},
			{"a", "audio/mp4", mp4, "audio/mp4"},
			{"a", "", "\x00\x00\x00\x18ftyp3gp5....", "video/3gpp"},
			{"a.ogg", "", "OggS....", "audio/ogg"},
			{"a.html", "text/html", "<script>alert(1)</script>", "text/plain"},
			{"a.docx", "", "PK\x03\x04....", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
			{"a.xls", "", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/vnd.ms-excel"},
			{"a.exe", "image/png", "MZ\x90\x00\x03\x00", ""},
			{"a.png", "image/png", "GIF89a\x00\x00", ""},
			{"a.zip", "application/zip", "PK\x03\x04....", ""},
			{"a.heic", "image/jpeg", "\x00\x00\x00\x18ftypheic....", ""},
		} {
			f, err := w.files.Put(bg, w.id, media.NewFile{Filename: c.name, MIME: c.declared, Origin: media.Upload}, strings.NewReader(c.data))
			switch {
			case c.mime == "":
				if e := fault.As(err); e == nil || e.Code != fault.Invalid || e.Field != "file" {
					t.Errorf("%s of %s was taken: %+v %v", c.name, c.declared, f, err)
				}
			case err != nil || f.MIME != c.mime:
				t.Errorf("%s of %s is %s, not %s: %v", c.name, c.declared, f.MIME, c.mime, err)
			}
		}
		f, err := w.files.Put(bg, w.id, media.NewFile{Filename: "../../etc/\u202e\"x\".bin", MIME: "application/x-thing", Origin: media.Inbound}, strings.NewReader("\x00\x01\x02"))
		if err != nil || f.MIME != "application/x-thing" || f.Filename != "x.bin" || f.Shown() || f.Kind != "document" {
			t.Errorf("what a contact sent: %+v %v", f, err)
		}
	})
}

func TestLinks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f, err := w.files.Put(bg, w.id, media.NewFile{Origin: media.Upload}, bytes.NewReader(pdf(100)))
		if err != nil {
			t.Fatal(err)
		}
		read := func(link string) error {
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.files.ByLink(bg, strings.TrimPrefix(u.Path, media.Path), u.Query().Get("e"), u.Query().Get("s"))
			return err
		}
		link := w.files.Link(w.id, f.ID)
		if err := read(link); err != nil {
			t.Fatal(err)
		}
		if file, ok := w.files.Ours(w.db.Read(bg, w.id), "https://crm.example"+link); !ok || file != f.ID {
			t.Fatal("the link is not recognised behind a host")
		}
		if _, ok := w.files.Ours(w.db.Read(bg, id.New()), link); ok {
			t.Fatal("another tenant's link is recognised")
		}
		for _, bad := range []string{strings.Replace(link, "s=", "s=A", 1), w.files.Link(id.New(), f.ID), w.files.Link(w.id, id.New()), strings.Replace(link, "e=", "e=9", 1), media.Path + f.ID.String()} {
			if e := fault.As(read(bad)); e == nil || e.Code != fault.NotFound {
				t.Errorf("%s: %v", bad, e)
			}
		}
		w.clock.Advance(47 * time.Hour)
		if err := read(link); err != nil {
			t.Fatalf("after two days: %v", err)
		}
		w.clock.Advance(26 * time.Hour)
		if e := fault.As(read(link)); e == nil || e.Code != fault.Forbidden {
			t.Fatalf("after three days: %v", e)
		}
	})
}

func TestTheSweepTakesWhatNobodyNames(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		put := func() media.File {
			f, err := w.files.Put(bg, w.id, media.NewFile{Origin: media.Upload}, bytes.NewReader(pdf(100)))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		sweep := func(want int) {
			t.Helper()
			for {
				n, err := w.files.Sweep(bg)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					break
				}
			}
			if n := w.rows(t, "media"); n != want || w.rows(t, "media_chunk") != want {
				t.Fatalf("%d files are left, not %d", n, want)
			}
		}
		kept, orphan := put(), put()
		w.used[kept.ID] = true
		sweep(2)
		w.clock.Advance(25 * time.Hour)
		fresh := put()
		sweep(2)
		if _, err := w.files.Get(w.db.Read(bg, w.id), orphan.ID); fault.As(err) == nil {
			t.Fatal("the orphan is still there")
		}
		w.used[kept.ID], w.used[fresh.ID] = false, true
		if err := w.db.Write(bg, w.id, func(tx *store.Tx) error { return w.files.LetGoIn(tx, kept.ID) }); err != nil {
			t.Fatal(err)
		}
		sweep(1)
		// A file that a killed server left half written.
		if err := w.db.Write(bg, w.id, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE media SET state='writing', sha256='', check_at=? WHERE tenant_id=? AND id=?", tx.Now().Add(time.Hour), fresh.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		sweep(1)
		w.clock.Advance(2 * time.Hour)
		sweep(0)
	})
}
