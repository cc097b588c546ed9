package platform

import (
	"encoding/json"
	"testing"

	"parley/internal/fault"
	"parley/internal/httpx"
)

// Whatever a body holds, reading it ends in a value or in a fault, and never in
// a panic or an error of ours.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{"firstName":"A","phone":"+919876543210","metadata":{"a":1,"refs":{"o":"1","x":null},"extra":{"b":[]}},"tags":["a"]}`,
		`[{"firstName":"A"},null,7]`, `{"leads":[{}]}`, `{"leadData":{"phone":"1"},"moduleInfo":{"module":"product_purchase","id":"x"},"trigger":"t t"}`,
		`{"to":"1","variables":[1,"a",true,null],"templateName":"x"}`, `{"to":"1","variables":{"a":{}}}`, `{"mediaUrl":"u","mediaType":"image/png"}`,
		`{"metadata":{"refs":7}}`, `{"metadata":{"extra":null,"refs":null}}`, `null`, ``, `{"pipelineId":"000000000000000000000000"}`,
	} {
		f.Add([]byte(s))
	}
	region := func() (string, error) { return "IN", nil }
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(what string, err error) {
			if err != nil && fault.As(err) == nil {
				t.Errorf("%s: %q gives an error of ours: %v", what, body, err)
			}
		}
		_, err := newLead(body, region)
		check("create", err)
		items, err := leadItems(body)
		check("many", err)
		for i, raw := range items {
			_, err := newLead(raw, region)
			check("many", under(err, item(i)))
		}
		var in leadInput
		if err := httpx.DecodeJSON(body, &in); err == nil {
			_, err = cardPatch(in, explicitNulls(body))
			check("patch", err)
		} else {
			check("patch", err)
		}
		var send sendInput
		if err := httpx.DecodeJSON(body, &send); err == nil {
			_, err = readSend(send)
			check("send", err)
		} else {
			check("send", err)
		}
		var up upsertInput
		if err := httpx.DecodeJSON(body, &up); err == nil && len(up.LeadData) > 0 {
			_, err = upsertCall(up)
			check("upsert", err)
			moduleRefs(up.ModuleInfo)
		}
		if raw := json.RawMessage(body); json.Valid(raw) {
			_, _, err := readVariables(raw)
			check("variables", err)
		}
	})
}
