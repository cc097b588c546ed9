package sales

import (
	"context"
	"encoding/csv"
	"iter"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/httpx"
)

const (
	jsonType = "application/json; charset=utf-8"
	csvType  = "text/csv; charset=utf-8"
)

// wantsCSV decides between the two formats (reference §1.6): format wins, then
// the first type that Accept likes best and that we have, then JSON.
func wantsCSV(r *httpx.Request) (bool, error) {
	switch f := r.QueryString("format"); f {
	case "csv", "json":
		return f == "csv", nil
	case "":
	default:
		return false, fault.Field("format", "format must be csv or json")
	}
	best, isCSV := 0.0, false
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			kind, params, _ := strings.Cut(part, ";")
			q := 1.0
			for p := range strings.SplitSeq(params, ";") {
				if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
					if n, err := strconv.ParseFloat(v, 64); err == nil {
						q = n
					}
				}
			}
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json", "application/*", "*/*":
				if q > best {
					best, isCSV = q, false
				}
			case "text/csv", "text/*":
				if q > best {
					best, isCSV = q, true
				}
			}
		}
	}
	return isCSV, nil
}

// reply answers a struct or a slice of structs, as JSON or as CSV with one row
// per item.
func reply(r *httpx.Request, v any) (*httpx.Response, error) {
	asCSV, err := wantsCSV(r)
	if err != nil {
		return nil, err
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		rv = reflect.MakeSlice(rv.Type(), 0, 0)
		v = rv.Interface()
	}
	if !asCSV {
		return httpx.JSON(http.StatusOK, v), nil
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	item := rv.Type()
	if rv.Kind() == reflect.Slice {
		item = item.Elem()
	}
	cols := columnsOf(item)
	_ = w.Write(cols.header)
	if rv.Kind() != reflect.Slice {
		_ = w.Write(cols.row(rv))
	} else {
		for i := range rv.Len() {
			_ = w.Write(cols.row(rv.Index(i)))
		}
	}
	w.Flush()
	return &httpx.Response{Header: http.Header{"Content-Type": {csvType}}, Body: []byte(b.String())}, nil
}

// rows begins a list: it checks the request and returns the items in order, each
// of them of the type of item. An error before the first item is answered as such;
// one behind it cuts the answer off, so that no half list looks like a whole one.
type rows func(ctx context.Context, r *httpx.Request) (item any, items iter.Seq2[any, error], err error)

// stallTime is how long one stretch of a streamed list may take to be read.
const stallTime = time.Minute

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
			writeError(w, r, err)
			return
		}
		out := newWriter(w, asCSV, item)
		deadline := http.NewResponseController(w)
		n := 0
		for v, err := range items {
			if err == nil && n%1000 == 0 {
				_ = deadline.SetWriteDeadline(time.Now().Add(stallTime))
			}
			if err == nil {
				n++
				err = out.item(v)
			}
			if err == nil {
				continue
			}
			if !out.begun {
				writeError(w, r, err)
				return
			}
			panic(http.ErrAbortHandler)
		}
		if out.end() != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
