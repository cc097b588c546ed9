package parley

import (
	"bytes"
	"encoding/json"
)

// Field is a value of an update that may be left out (the zero Field), set
// ([Set]) or cleared ([Null]).
type Field[T any] struct {
	value T
	state fieldState
}

type fieldState uint8

const (
	fieldAbsent fieldState = iota
	fieldNull
	fieldSet
)

// Set returns a Field that sends v, also when v is zero.
func Set[T any](v T) Field[T] { return Field[T]{v, fieldSet} }

// Null returns a Field that sends null, which clears.
func Null[T any]() Field[T] { return Field[T]{state: fieldNull} }

// IsZero says that the field is left out.
func (f Field[T]) IsZero() bool { return f.state == fieldAbsent }

// Get returns the value and whether there is one.
func (f Field[T]) Get() (T, bool) { return f.value, f.state == fieldSet }

// MarshalJSON implements json.Marshaler.
func (f Field[T]) MarshalJSON() ([]byte, error) {
	if f.state != fieldSet {
		return []byte("null"), nil
	}
	return json.Marshal(f.value)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		*f = Null[T]()
		return nil
	}
	f.state = fieldSet
	return json.Unmarshal(b, &f.value)
}
