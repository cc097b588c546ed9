package sales

import (
	"encoding/json"
	"testing"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/intake"
)

// FuzzLead: whatever is sent, a lead is read or refused with a sentence; what is
// kept of it can be written as JSON.
func FuzzLead(f *testing.F) {
	for _, s := range []string{`{}`, `{"utmSource":"web","phones":["+541145520371"],"priority":1e300}`, `{"source":"x","callIn":{"type":"note"}}`, `{"utmSource":"a","callIn":true,"history":[null,{},{"type":"call","duration":-1}]}`,
		`{"utmSource":"a","product":{"sku":1e999,"price":{"amount":1,"currency":"USD"},"odometer":{"amount":null}}}`, `{"utmSource":"a","product":{"a":[{"b":12345678901234567890}]},"nin":[{}]}`,
		`{"utmSource":"a","history":[{"type":"message","startedAt":"2020-09-30:T03:00:00.000Z","attachment":{"location":{}}}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range intake.Kinds {
			var b leadBody
			err := httpx.DecodeJSON(raw, &b)
			if err == nil {
				var l intake.Lead
				if l, err = b.read(kind, defaultsWire{"usd", "km"}); err == nil {
					if _, err := json.Marshal(l.Data); err != nil {
						t.Fatalf("%q: %v", raw, err)
					}
				}
			}
			if err != nil && (fault.As(err) == nil || fault.As(err).Message == "") {
				t.Fatalf("%q: %v is no fault", raw, err)
			}
		}
	})
}
