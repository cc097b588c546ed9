package socketio

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePacket(t *testing.T) {
	for in, want := range map[string]packet{
		"0":                       {typ: '0', nsp: "/"},
		`0{"token":"k"}`:          {typ: '0', nsp: "/", auth: map[string]any{"token": "k"}},
		`0/admin,{"a":1}`:         {typ: '0', nsp: "/admin", auth: map[string]any{"a": 1.0}},
		"0/admin":                 {typ: '0', nsp: "/admin"},
		"0/admin,":                {typ: '0', nsp: "/admin"},
		"1":                       {typ: '1', nsp: "/"},
		"1/admin,":                {typ: '1', nsp: "/admin"},
		`2["hi"]`:                 {typ: '2', nsp: "/", name: "hi", args: raw()},
		`2["hi",1,{"a":[]}]`:      {typ: '2', nsp: "/", name: "hi", args: raw("1", `{"a":[]}`)},
		`212["hi"]`:               {typ: '2', nsp: "/", id: 12, hasID: true, name: "hi", args: raw()},
		`2/admin,456["x",null]`:   {typ: '2', nsp: "/admin", id: 456, hasID: true, name: "x", args: raw("null")},
		`3456[]`:                  {typ: '3', nsp: "/", id: 456, hasID: true, args: raw()},
		`30[true]`:                {typ: '3', nsp: "/", hasID: true, args: raw("true")},
		`2["é",""]`:               {typ: '2', nsp: "/", name: "é", args: raw(`""`)},
		`2999999999999999["big"]`: {typ: '2', nsp: "/", id: 999999999999999, hasID: true, name: "big", args: raw()},
	} {
		got, err := parsePacket([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(packet{})); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

func TestParsePacketRefuses(t *testing.T) {
	for in, want := range map[string]error{
		"":                                       errMalformed,
		"7":                                      errMalformed,
		"x":                                      errMalformed,
		"0[]":                                    errMalformed,
		"0null":                                  errMalformed,
		`0"a"`:                                   errMalformed,
		"0{":                                     errMalformed,
		"1[]":                                    errMalformed,
		"2":                                      errMalformed,
		"2[]":                                    errMalformed,
		"2{}":                                    errMalformed,
		"2null":                                  errMalformed,
		"2[null]":                                errMalformed,
		"2[7]":                                   errMalformed,
		`2["connect"]`:                           errMalformed,
		`2["disconnecting"]`:                     errMalformed,
		`2["a"]x`:                                errMalformed,
		"2[\"a\xff\"]":                           errMalformed,
		`21000000000000000["a"]`:                 errMalformed,
		"3[]":                                    errMalformed,
		"31":                                     errMalformed,
		"31null":                                 errMalformed,
		"31{}":                                   errMalformed,
		"4{}":                                    errMalformed,
		`51-["a",{"_placeholder":true,"num":0}]`: errBinary,
		"61-0[]":                                 errBinary,
		"0/" + strings.Repeat("n", 256):          errMalformed,
		"2" + strings.Repeat("[", 100_000):       errMalformed,
	} {
		if _, err := parsePacket([]byte(in)); err != want {
			t.Errorf("%.40s: %v, want %v", in, err, want)
		}
	}
}

func TestEncode(t *testing.T) {
	event := func(name string, id uint64, has bool, args ...any) string {
		b, err := encodeEvent(name, id, has, args)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for got, want := range map[string]string{
		event("a", 0, false):                                           `42["a"]`,
		event("a<b", 7, true, "x&y", nil, 1.5):                         `427["a<b","x&y",null,1.5]`,
		event("r", 0, true, json.RawMessage(`{ "k": [1, 2] }`)):        `420["r",{"k":[1,2]}]`,
		string(encodeConnectError("/", "No", nil)):                     `44{"message":"No"}`,
		string(encodeConnectError("/x", "No", map[string]int{"a": 1})): `44/x,{"message":"No","data":{"a":1}}`,
		string(encodeOpen("s", false, Options{}.withDefaults())):       `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
	} {
		if got != want {
			t.Errorf("encoded %s, want %s", got, want)
		}
	}
	for _, bad := range []any{make(chan int), json.RawMessage("{")} {
		if b, err := encodeEvent("a", 0, false, []any{bad}); err == nil {
			t.Errorf("%v became %s", bad, b)
		}
	}
	if _, err := encodeEvent("connect", 0, false, nil); err == nil {
		t.Error("a reserved name was encoded")
	}
}

// What the parser takes must come back the same after encoding, and nothing
// may make it panic.
func FuzzParsePacket(f *testing.F) {
	for _, s := range []string{"0", `0/a,{"k":"v"}`, "1", `2["e",1]`, `2/x,12["e",{"a":null}]`, `35["x"]`, "4{}", "51-[]", "2[\"\xff\"]", `2["\ud800"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePacket(b)
		if err != nil {
			return
		}
		var data any
		switch p.typ {
		case typeConnect:
			if p.auth != nil {
				data = p.auth
			}
		case typeEvent, typeAck:
			list := []any{}
			if p.typ == typeEvent {
				list = append(list, p.name)
			}
			for _, a := range p.args {
				list = append(list, a)
			}
			data = list
		}
		out, err := encode(p.typ, p.nsp, p.id, p.hasID, data)
		if err != nil {
			t.Fatalf("%q parsed but does not encode: %v", b, err)
		}
		again, err := parsePacket(out[1:])
		if err != nil {
			t.Fatalf("%q encoded as %q, which does not parse: %v", b, out, err)
		}
		again2, _ := encode(again.typ, again.nsp, again.id, again.hasID, data)
		if again.name != p.name || len(again.args) != len(p.args) || string(again2) != string(out) {
			t.Fatalf("%q came back as %q", b, again2)
		}
	})
}
