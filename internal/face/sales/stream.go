package sales

import (
	"context"
	"iter"
	"net/http"
	"reflect"
	"time"

	"parley/internal/httpx"
)

// rows begins a list: it checks the request and returns the items in order, each
// of them of the type of item. An error before anything was sent is answered as
// such; one behind that cuts the answer off, so that no half list looks like a
// whole one.
type rows func(ctx context.Context, r *httpx.Request) (item any, items iter.Seq2[any, error], err error)

const (
	// stallTime is how long one stretch of a streamed list may take to be read.
	stallTime = time.Minute
	// stretch is how many bytes are gathered before they are sent.
	stretch = 32 << 10
)

// stream answers a list item by item, with memory for a few of them only.
func (f *Face) stream(list rows) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := httpx.From(hr.Context())
		asCSV, err := wantsCSV(r)
		var item any
		var items iter.Seq2[any, error]
		if err == nil {
			item, items, err = list(hr.Context(), r)
		}
		if err != nil {
			r.Failed(err)
			writeError(w, r, err)
			return
		}
		out := newWriter(w, asCSV, item)
		for v, err := range items {
			if err == nil {
				err = out.item(v)
			}
			if err != nil {
				out.broken(r, err)
				return
			}
		}
		if err := out.end(); err != nil {
			out.broken(r, err)
		}
	}
}

// writer writes the items of a list one by one.
type writer struct {
	w        http.ResponseWriter
	deadline *http.ResponseController
	cols     *columns // nil for JSON
	buf      []byte
	n        int  // items
	sent     bool // something left the buffer
}

func newWriter(w http.ResponseWriter, asCSV bool, item any) *writer {
	o := &writer{w: w, deadline: http.NewResponseController(w), buf: make([]byte, 0, stretch+4<<10)}
	if asCSV {
		o.cols = columnsOf(reflect.TypeOf(item))
		o.buf = line4180(o.buf, o.cols.header)
	} else {
		o.buf = append(o.buf, '[')
	}
	return o
}

func (o *writer) item(v any) error {
	if o.cols != nil {
		o.buf = o.cols.row(o.buf, reflect.ValueOf(v))
	} else {
		raw, err := httpx.EncodeJSON(v)
		if err != nil {
			return err
		}
		if o.n > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = append(o.buf, raw...)
	}
	if o.n++; len(o.buf) < stretch {
		return nil
	}
	return o.send()
}

// send hands over what was gathered. Whoever stops reading loses the rest.
func (o *writer) send() error {
	if !o.sent {
		o.sent = true
		kind := jsonType
		if o.cols != nil {
			kind = csvType
		}
		o.w.Header().Set("Content-Type", kind)
	}
	_ = o.deadline.SetWriteDeadline(time.Now().Add(stallTime))
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *writer) end() error {
	if o.cols == nil {
		o.buf = append(o.buf, ']')
	}
	return o.send()
}

// broken ends a list that cannot be finished.
func (o *writer) broken(r *httpx.Request, err error) {
	r.Failed(err)
	if !o.sent {
		writeError(o.w, r, err)
		return
	}
	panic(http.ErrAbortHandler)
}
