package sales

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

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
	switch f := strings.ToLower(r.QueryString("format")); f {
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
			var table bool
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json", "application/*", "*/*":
			case "text/csv", "text/*":
				table = true
			default:
				continue
			}
			if q := quality(params); q > best {
				best, isCSV = q, table
			}
		}
	}
	return isCSV, nil
}

// quality reads q of a media type's parameters; 1 when there is none that can be
// read.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if q, err := strconv.ParseFloat(strings.TrimSpace(v), 64); strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}

// formatted refuses an unknown format before the call does anything.
func formatted(h httpx.Handler) httpx.Handler {
	return func(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
		if _, err := wantsCSV(r); err != nil {
			return nil, err
		}
		return h(ctx, r)
	}
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
	item := rv.Type()
	if rv.Kind() == reflect.Slice {
		item = item.Elem()
	}
	cols := columnsOf(item)
	body := line4180(nil, cols.header)
	if rv.Kind() != reflect.Slice {
		body = cols.row(body, rv)
	} else {
		for i := range rv.Len() {
			body = cols.row(body, rv.Index(i))
		}
	}
	return &httpx.Response{Header: http.Header{"Content-Type": {csvType}}, Body: body}, nil
}
