package record_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"parley/internal/filter"
	"parley/internal/record"
)

// Whatever is taken can be stored, reads as it was, and patches itself to itself
// but for what is null.
func FuzzMerged(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":{"c":[1,null,{"d":"x"}]}}`, `{"a":null}`, `{"a":1e400}`, `{"":1}`, `{"a.b":-0}`, `{"r":{"$relation":[{"entity_id":"x"}]}}`, `{"a":"\u0000"}`} {
		f.Add(s, `{"a":{"b":2}}`)
	}
	f.Fuzz(func(t *testing.T, old, patch string) {
		read := func(s string) map[string]any {
			v, err := filter.Decode([]byte(s))
			m, ok := v.(map[string]any)
			if err != nil || !ok {
				t.Skip()
			}
			return m
		}
		was, err := record.Merged(nil, read(old))
		if err != nil {
			t.Skip()
		}
		now, err := record.Merged(was, read(patch))
		if err != nil {
			return
		}
		b, err := json.Marshal(now)
		if err != nil {
			t.Fatal(err)
		}
		back, err := filter.Decode(b)
		if err != nil || !reflect.DeepEqual(back, any(now)) {
			t.Fatalf("%#v reads as %#v: %v", now, back, err)
		}
		if again, err := record.Merged(now, now); err != nil || !reflect.DeepEqual(again, now) {
			t.Fatalf("%#v on itself is %#v: %v", now, again, err)
		}
		record.Entries(now, nil)
		record.Relations(now)
	})
}
