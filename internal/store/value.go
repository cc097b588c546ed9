package store

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrNoRows is what Scan returns when QueryRow found nothing.
var ErrNoRows = sql.ErrNoRows

// Found turns the error of a single-row Scan into (found, error).
func Found(err error) (bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func bind(tenant string, args []any) []any {
	out := make([]any, 0, len(args)+1)
	out = append(out, tenant)
	for _, a := range args {
		out = append(out, value(a))
	}
	return out
}

func convert(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = value(a)
	}
	return out
}

// value stores times as Unix milliseconds, the zero time as NULL.
func value(a any) any {
	switch v := a.(type) {
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.UnixMilli()
	case json.RawMessage:
		if v == nil {
			return nil
		}
		return string(v)
	}
	return a
}

// Time scans Unix milliseconds into t; NULL becomes the zero time.
func Time(t *time.Time) sql.Scanner { return timeScanner{t} }

type timeScanner struct{ t *time.Time }

func (s timeScanner) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("store: cannot scan %T as a time", src)
	}
	return nil
}

// Text scans text into s; NULL becomes "".
func Text(s *string) sql.Scanner { return textScanner{s} }

type textScanner struct{ s *string }

func (t textScanner) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t.s = ""
	case string:
		*t.s = v
	case []byte:
		*t.s = string(v)
	default:
		return fmt.Errorf("store: cannot scan %T as text", src)
	}
	return nil
}

// NullText stores "" as NULL.
func NullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// JSON stores v as JSON, and scans JSON into v when v is a pointer. NULL leaves
// the target as it is.
func JSON(v any) interface {
	driver.Valuer
	sql.Scanner
} {
	return jsonValue{v}
}

type jsonValue struct{ v any }

func (j jsonValue) Value() (driver.Value, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j.v); err != nil {
		return nil, err
	}
	return string(bytes.TrimRight(b.Bytes(), "\n")), nil
}

func (j jsonValue) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		return nil
	case string:
		if s == "{}" && j.empty() {
			return nil
		}
		return json.Unmarshal([]byte(s), j.v)
	case []byte:
		return json.Unmarshal(s, j.v)
	}
	return fmt.Errorf("store: cannot scan %T as JSON", src)
}

// empty does what reading {} does, for maps: nearly all that are read are empty.
func (j jsonValue) empty() bool {
	switch m := j.v.(type) {
	case *map[string]any:
		if *m == nil {
			*m = map[string]any{}
		}
	case *map[string]string:
		if *m == nil {
			*m = map[string]string{}
		}
	default:
		return false
	}
	return true
}

// Collect reads all rows with scan and closes them.
func Collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
