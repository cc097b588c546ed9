package filter

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
)

func parse(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// mongoCases are the rows of the reference, bot-runtime 4.1 and 4.2, and
// MongoDB's documented examples of the same rules.
var mongoCases = []struct {
	rule, filter string
	yes, no      []string
}{
	{"nothing", `{}`, []string{`{}`, `{"a":1}`}, nil},
	{"top level is and", `{"a":1,"b":2}`, []string{`{"a":1,"b":2}`}, []string{`{"a":1}`, `{"b":2}`, `{}`}},
	{"equality", `{"a":"x"}`, []string{`{"a":"x"}`, `{"a":["y","x"]}`}, []string{`{"a":"X"}`, `{"a":null}`, `{}`, `{"a":{"x":1}}`, `{"a":[["x"]]}`}},
	{"sub-document", `{"a":{"b":1,"c":2}}`, []string{`{"a":{"b":1,"c":2}}`, `{"a":{"c":2,"b":1.0}}`, `{"a":[{"b":1,"c":2}]}`}, []string{`{"a":{"b":1}}`, `{"a":{"b":1,"c":2,"d":3}}`}},
	{"empty sub-document", `{"a":{}}`, []string{`{"a":{}}`}, []string{`{"a":{"b":1}}`, `{}`, `{"a":null}`}},
	{"dotted", `{"a.b":1}`, []string{`{"a":{"b":1}}`, `{"a":[{"b":2},{"b":1}]}`, `{"a":{"b":[2,1]}}`, `{"a":[{"b":[1]}]}`}, []string{`{"a":1}`, `{"a.b":1}`, `{"a":[[{"b":1}]]}`}},
	{"index", `{"a.1":5}`, []string{`{"a":[4,5]}`, `{"a":{"1":5}}`, `{"a":[{"1":5}]}`, `{"a":[0,[5]]}`}, []string{`{"a":[5,4]}`, `{"a":[5]}`}},
	{"index and field", `{"a.0.b":1}`, []string{`{"a":[{"b":1}]}`, `{"a":{"0":{"b":1}}}`}, []string{`{"a":[{"b":2},{"b":1}]}`}},
	{"whole array", `{"a":[1,2]}`, []string{`{"a":[1,2]}`, `{"a":[1.0,2]}`, `{"a":[[1,2],3]}`}, []string{`{"a":[2,1]}`, `{"a":[1,2,3]}`, `{"a":1}`}},
	{"different elements", `{"a":{"$gt":15,"$lt":10}}`, []string{`{"a":[20,5]}`}, []string{`{"a":12}`, `{"a":[12]}`, `{"a":[20]}`}},
	{"one element", `{"a":{"$elemMatch":{"$gt":80,"$lt":85}}}`, []string{`{"a":[70,82]}`}, []string{`{"a":[75,90]}`, `{"a":82}`, `{"a":[[82]]}`, `{}`}},
	{"null is missing too", `{"a":null}`, []string{`{"a":null}`, `{}`, `{"a":[1,null]}`}, []string{`{"a":0}`, `{"a":""}`, `{"a":[]}`, `{"a":false}`}},
	{"null below", `{"a.b":null}`, []string{`{}`, `{"a":null}`, `{"a":5}`, `{"a":{}}`, `{"a":{"b":null}}`, `{"a":[{"b":1},{}]}`, `{"a":[{"b":null}]}`}, []string{`{"a":{"b":1}}`, `{"a":[{"b":1}]}`, `{"a":[]}`, `{"a":[1,2]}`}},
	{"exists null", `{"a":{"$exists":true}}`, []string{`{"a":null}`, `{"a":0}`, `{"a":[]}`}, []string{`{}`, `{"b":1}`}},
	{"exists not", `{"a":{"$exists":false}}`, []string{`{}`, `{"b":1}`}, []string{`{"a":null}`}},
	{"exists below", `{"a.b":{"$exists":1}}`, []string{`{"a":[{},{"b":null}]}`}, []string{`{"a":[]}`, `{"a":[{}]}`, `{"a":3}`}},
	{"brackets of type", `{"a":{"$gt":5}}`, []string{`{"a":6}`, `{"a":5.5}`}, []string{`{"a":"6"}`, `{"a":true}`, `{"a":null}`, `{}`, `{"a":{"b":6}}`, `{"a":5}`}},
	{"numbers of any form", `{"a":5}`, []string{`{"a":5}`, `{"a":5.0}`, `{"a":50e-1}`}, []string{`{"a":"5"}`, `{"a":5.000000000000001}`}},
	{"big integers", `{"a":9007199254740993}`, []string{`{"a":9007199254740993}`}, []string{`{"a":9007199254740992}`, `{"a":9007199254740994}`}},
	{"binary order", `{"a":{"$lt":"a"}}`, []string{`{"a":"Z"}`, `{"a":""}`}, []string{`{"a":"a"}`, `{"a":"b"}`, `{"a":"é"}`, `{"a":1}`}},
	{"gte lte", `{"a":{"$gte":1,"$lte":2}}`, []string{`{"a":1}`, `{"a":2}`}, []string{`{"a":0}`, `{"a":3}`}},
	{"gte null", `{"a":{"$gte":null}}`, []string{`{"a":null}`, `{}`}, []string{`{"a":1}`}},
	{"gt null", `{"a":{"$gt":null}}`, nil, []string{`{"a":null}`, `{}`, `{"a":1}`}},
	{"booleans order", `{"a":{"$gt":false}}`, []string{`{"a":true}`}, []string{`{"a":false}`, `{"a":1}`}},
	{"ne", `{"a":{"$ne":1}}`, []string{`{}`, `{"a":2}`, `{"a":"1"}`, `{"a":[2,3]}`}, []string{`{"a":1}`, `{"a":[1,2]}`}},
	{"ne null", `{"a":{"$ne":null}}`, []string{`{"a":1}`, `{"a":[]}`}, []string{`{}`, `{"a":null}`, `{"a":[null]}`}},
	{"nin", `{"a":{"$nin":[1,"x"]}}`, []string{`{}`, `{"a":2}`, `{"a":[2]}`}, []string{`{"a":1}`, `{"a":["x",5]}`}},
	{"in", `{"a":{"$in":[1,"x",null]}}`, []string{`{"a":1}`, `{"a":"x"}`, `{}`, `{"a":[7,"x"]}`}, []string{`{"a":2}`, `{"a":"y"}`}},
	{"in with an array", `{"a":{"$in":[[1,2]]}}`, []string{`{"a":[1,2]}`, `{"a":[[1,2]]}`}, []string{`{"a":1}`}},
	{"in with patterns", `{"a":{"$in":[{"$regex":"^be"},{"$regularExpression":{"pattern":"ST$","options":"i"}}]}}`, []string{`{"a":"best"}`, `{"a":"first"}`, `{"a":["x","bee"]}`}, []string{`{"a":"x"}`, `{"a":5}`}},
	{"in nothing", `{"a":{"$in":[]}}`, nil, []string{`{}`, `{"a":1}`}},
	{"nin nothing", `{"a":{"$nin":[]}}`, []string{`{}`, `{"a":1}`}, nil},
	{"and", `{"$and":[{"a":1},{"b":2}]}`, []string{`{"a":1,"b":2}`}, []string{`{"a":1}`}},
	{"or", `{"$or":[{"a":1},{"b":2}],"c":3}`, []string{`{"a":1,"c":3}`, `{"b":2,"c":3}`}, []string{`{"a":1}`, `{"c":3}`}},
	{"nor", `{"$nor":[{"a":1},{"b":2}]}`, []string{`{}`, `{"a":2}`}, []string{`{"a":1}`, `{"b":2}`}},
	{"not", `{"a":{"$not":{"$gt":5}}}`, []string{`{"a":5}`, `{}`, `{"a":"x"}`, `{"a":[1,2]}`}, []string{`{"a":6}`, `{"a":[1,6]}`}},
	{"not several", `{"a":{"$not":{"$gt":5,"$lt":9}}}`, []string{`{"a":5}`, `{"a":9}`}, []string{`{"a":6}`, `{"a":[1,20]}`}},
	{"not pattern", `{"a":{"$not":{"$regex":"^p"}}}`, []string{`{"a":"x"}`, `{}`, `{"a":7}`}, []string{`{"a":"pine"}`, `{"a":["x","p"]}`}},
	{"type", `{"a":{"$type":"string"}}`, []string{`{"a":"x"}`, `{"a":[1,"x"]}`}, []string{`{"a":1}`, `{}`}},
	{"type code", `{"a":{"$type":2}}`, []string{`{"a":"x"}`}, []string{`{"a":1}`}},
	{"type list", `{"a":{"$type":["bool","null"]}}`, []string{`{"a":true}`, `{"a":null}`}, []string{`{"a":1}`, `{}`}},
	{"type number", `{"a":{"$type":"number"}}`, []string{`{"a":1}`, `{"a":1.5}`}, []string{`{"a":"1"}`}},
	{"type int", `{"a":{"$type":"int"}}`, []string{`{"a":1}`, `{"a":2147483647}`}, []string{`{"a":2147483648}`, `{"a":1.5}`}},
	{"type long", `{"a":{"$type":18}}`, []string{`{"a":2147483648}`}, []string{`{"a":1}`, `{"a":1e30}`}},
	{"type double", `{"a":{"$type":"double"}}`, []string{`{"a":1.5}`, `{"a":1e30}`}, []string{`{"a":1}`}},
	{"type array", `{"a":{"$type":"array"}}`, []string{`{"a":[]}`, `{"a":[[1]]}`}, []string{`{"a":1}`}},
	{"type object", `{"a":{"$type":"object"}}`, []string{`{"a":{}}`, `{"a":[{}]}`}, []string{`{"a":[]}`}},
	{"type of ours never", `{"a":{"$type":"date"}}`, nil, []string{`{"a":"2026-01-01"}`, `{"a":1}`}},
	{"all", `{"a":{"$all":["x","y"]}}`, []string{`{"a":["y","z","x"]}`}, []string{`{"a":["x"]}`, `{"a":"x"}`, `{}`}},
	{"all of one", `{"a":{"$all":["x"]}}`, []string{`{"a":"x"}`, `{"a":["x"]}`}, []string{`{"a":[]}`}},
	{"all nested", `{"a":{"$all":[["x","y"]]}}`, []string{`{"a":["x","y"]}`, `{"a":[["x","y"]]}`}, []string{`{"a":["y","x"]}`}},
	{"all of nothing", `{"a":{"$all":[]}}`, nil, []string{`{}`, `{"a":[]}`, `{"a":1}`}},
	{"all elements", `{"a":{"$all":[{"$elemMatch":{"b":1}},{"$elemMatch":{"b":2}}]}}`, []string{`{"a":[{"b":2},{"b":1}]}`}, []string{`{"a":[{"b":1}]}`}},
	{"elemMatch fields", `{"a":{"$elemMatch":{"b":1,"c":2}}}`, []string{`{"a":[{"b":1,"c":2}]}`, `{"a":[{"b":[1],"c":2}]}`}, []string{`{"a":[{"b":1},{"c":2}]}`, `{"a":{"b":1,"c":2}}`, `{"a":[1]}`}},
	{"elemMatch null", `{"a":{"$elemMatch":{"b":null}}}`, []string{`{"a":[{}]}`}, []string{`{"a":[1,"x",null]}`, `{"a":[]}`}},
	{"elemMatch logic", `{"a":{"$elemMatch":{"$or":[{"b":1},{"c":1}]}}}`, []string{`{"a":[{"c":1}]}`}, []string{`{"a":[{"b":2}]}`}},
	{"elemMatch values", `{"a":{"$elemMatch":{"$in":["x",null]}}}`, []string{`{"a":["x"]}`, `{"a":[null]}`}, []string{`{"a":"x"}`, `{"a":[]}`}},
	{"elemMatch negated", `{"a":{"$elemMatch":{"$nin":[1],"$not":{"$gt":5}}}}`, []string{`{"a":[9,3]}`}, []string{`{"a":[1,9]}`}},
	{"elemMatch of arrays", `{"a":{"$elemMatch":{"$elemMatch":{"$eq":1}}}}`, []string{`{"a":[[1]]}`}, []string{`{"a":[1]}`}},
	{"size", `{"a":{"$size":2}}`, []string{`{"a":[1,2]}`}, []string{`{"a":[1]}`, `{"a":2}`, `{}`, `{"a":[[1,2]]}`}},
	{"size below", `{"a.b":{"$size":1}}`, []string{`{"a":{"b":[1]}}`, `{"a":[{"b":[1]}]}`}, []string{`{"a":{"b":1}}`}},
	{"mod", `{"a":{"$mod":[4,0]}}`, []string{`{"a":8}`, `{"a":[1,4]}`, `{"a":8.7}`, `{"a":0}`}, []string{`{"a":7}`, `{"a":"8"}`, `{}`}},
	{"mod negative", `{"a":{"$mod":[-4,-1]}}`, []string{`{"a":-5}`}, []string{`{"a":5}`}},
	{"regex", `{"a":{"$regex":"^ab","$options":"i"}}`, []string{`{"a":"ABC"}`, `{"a":["x","abc"]}`}, []string{`{"a":"xab"}`, `{"a":5}`, `{"a":{"b":"ab"}}`, `{"a":[["ab"]]}`, `{}`}},
	{"regex m", `{"a":{"$regex":"^b","$options":"m"}}`, []string{`{"a":"a\nb"}`}, []string{`{"a":"ab"}`}},
	{"regex s", `{"a":{"$regex":"a.b","$options":"s"}}`, []string{`{"a":"a\nb"}`}, []string{`{"a":"ab"}`}},
	{"regex x", `{"a":{"$regex":"a b # two\n[ ]c\\ d","$options":"x"}}`, []string{`{"a":"ab c d"}`}, []string{`{"a":"a b c d"}`}},
	{"regex case", `{"a":{"$regex":"ab"}}`, []string{`{"a":"xabx"}`}, []string{`{"a":"AB"}`}},
	{"id as text", `{"_id":5}`, []string{`{"_id":"5"}`}, []string{`{"_id":"6"}`}},
	{"id wrapped", `{"_id":{"$in":[{"$oid":"64b0c0"},{"_bsontype":"ObjectId","id":"77"}]}}`, []string{`{"_id":"64b0c0"}`, `{"_id":"77"}`}, []string{`{"_id":"x"}`}},
	{"dates are milliseconds", `{"a":{"$gte":{"$date":"1970-01-01T00:00:01Z"},"$lt":{"$date":{"$numberLong":"2000"}}}}`, []string{`{"a":1000}`, `{"a":1999}`}, []string{`{"a":2000}`, `{"a":999}`, `{"a":"1970-01-01T00:00:01Z"}`}},
	{"numbers wrapped", `{"a":{"$numberLong":"9007199254740993"}}`, []string{`{"a":9007199254740993}`}, []string{`{"a":9007199254740992}`}},
	{"same operator twice by and", `{"$and":[{"a":{"$ne":1}},{"a":{"$exists":true}}]}`, []string{`{"a":2}`}, []string{`{}`, `{"a":1}`}},
	{"odd keys", `{"a$b":1,"it's \"x\"":2}`, []string{`{"a$b":1,"it's \"x\"":2}`}, []string{`{"a$b":1}`}},
}

func TestMongo(t *testing.T) {
	for _, c := range mongoCases {
		f, err := ParseMongo(parse(t, c.filter).(map[string]any))
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		m, err := Compile(f)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		for want, list := range map[bool][]string{true: c.yes, false: c.no} {
			for _, text := range list {
				var plain any
				if err := json.Unmarshal([]byte(text), &plain); err != nil {
					t.Fatal(err)
				}
				docs := []any{parse(t, text)}
				if !strings.Contains(text, "90071992547409") { // encoding/json's float64 would round it
					docs = append(docs, plain)
				}
				for _, doc := range docs {
					if m.Match(doc) != want {
						t.Errorf("%s: %s of %s (%T) is %v", c.rule, c.filter, text, doc.(map[string]any)["a"], !want)
					}
				}
			}
		}
	}
}

func TestGoValues(t *testing.T) {
	when := time.UnixMilli(1500).UTC()
	doc := map[string]any{"tags": []string{"x"}, "n": 7, "at": when, "m": map[string]string{"k": "v"}, "l": []map[string]any{{"q": int32(1)}}}
	for text, want := range map[string]bool{
		`{"tags":"x"}`: true, `{"tags":["x"]}`: true, `{"tags":{"$size":1}}`: true, `{"n":7}`: true, `{"at":1500}`: true, `{"at":{"$type":"number"}}`: true,
		`{"m.k":"v"}`: true, `{"l.q":1}`: true, `{"l":{"$elemMatch":{"q":1}}}`: true, `{"m":{"k":"v"}}`: true, `{"n":8}`: false,
	} {
		f, err := ParseMongo(parse(t, text).(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		if m.Match(doc) != want {
			t.Errorf("%s is %v", text, !want)
		}
	}
	f, err := ParseMongo(map[string]any{"at": map[string]any{"$gt": time.UnixMilli(1499)}, "tags": []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := Compile(f); !m.Match(doc) {
		t.Error("a time.Time in a filter does not compare as milliseconds")
	}
}

func TestMongoFaults(t *testing.T) {
	deep := strings.Repeat(`{"$and":[`, 30) + `{"a":1}` + strings.Repeat(`]}`, 30)
	for _, c := range []struct{ filter, field, says string }{
		{`{"$where":"1"}`, "$where", "not allowed"}, {`{"$expr":{}}`, "$expr", "not allowed"}, {`{"$text":{}}`, "$text", "not allowed"},
		{`{"$jsonSchema":{}}`, "$jsonSchema", "not allowed"}, {`{"a":{"$function":{}}}`, "a.$function", "not allowed"}, {`{"a":{"$where":"1"}}`, "a.$where", "not allowed"},
		{`{"a":{"$near":[1,2]}}`, "a.$near", "not supported yet"}, {`{"a":{"$geoWithin":{}}}`, "a.$geoWithin", "not supported yet"},
		{`{"$foo":1}`, "$foo", "no operator $foo"}, {`{"a":{"$foo":1}}`, "a.$foo", "$elemMatch"}, {`{"$or":[{"b":1},{"a":{"$gt":1,"$like":2}}]}`, "$or[1].a.$like", "no operator"},
		{`{"$and":[]}`, "$and", "at least one"}, {`{"$or":{"a":1}}`, "$or", "array"}, {`{"$nor":[1]}`, "$nor[0]", "filters"},
		{`{"a":{"$gt":1,"b":2}}`, "a", "together"}, {`{"a":{"$in":5}}`, "a.$in", "array"}, {`{"a":{"$in":[{"$gt":1}]}}`, "a.$in[0]", "not operators"},
		{`{"a":{"$all":5}}`, "a.$all", "array"}, {`{"a":{"$all":[{"$elemMatch":{"b":1}},2]}}`, "a.$all[1]", "not both"}, {`{"a":{"$all":[{"$regex":"x"}]}}`, "a.$all[0]", "regular"},
		{`{"a":{"$not":5}}`, "a.$not", "operators"}, {`{"a":{"$not":{}}}`, "a.$not", "operators"}, {`{"a":{"$elemMatch":5}}`, "a.$elemMatch", "filter"},
		{`{"a":{"$size":-1}}`, "a.$size", "whole"}, {`{"a":{"$size":1.5}}`, "a.$size", "whole"}, {`{"a":{"$size":"1"}}`, "a.$size", "whole"},
		{`{"a":{"$mod":[0,1]}}`, "a.$mod", "not 0"}, {`{"a":{"$mod":[2]}}`, "a.$mod", "divisor"}, {`{"a":{"$mod":["x",1]}}`, "a.$mod", "divisor"}, {`{"a":{"$mod":[0.5,1]}}`, "a.$mod", "not 0"},
		{`{"a":{"$type":"str"}}`, "a.$type", "no type"}, {`{"a":{"$type":99}}`, "a.$type", "no type"},
		{`{"a":{"$regex":"("}}`, "a.$regex", "RE2"}, {`{"a":{"$regex":"(?=x)"}}`, "a.$regex", "lookaround"}, {`{"a":{"$regex":"x","$options":"q"}}`, "a.$regex", "i, m, s and x"},
		{`{"a":{"$options":"i"}}`, "a.$options", "$regex"}, {`{"a":{"$regex":5}}`, "a.$regex", "texts"}, {`{"a":{"$regex":"` + strings.Repeat("x", MaxPattern+1) + `"}}`, "a.$regex", "longer"},
		{`{"a":{"$gt":[1]}}`, "a.$gt", "compares"}, {`{"a":{"$gt":{"b":1}}}`, "a.$gt", "compares"}, {`{"a":{"$ne":{"$regularExpression":{"pattern":"x","options":""}}}}`, "a.$ne", "regular"},
		{`{"a":{"$date":"yesterday"}}`, "a", "time"}, {`{"a":1e999}`, "a", "range"}, {`{"a":[1,{"b":-1e400}]}`, "a[1].b", "range"}, {`{"a":{"$oid":5}}`, "a", "text"}, {`{"a":{"$numberLong":"x"}}`, "a", "number"},
		{`{"":1}`, "", "name"}, {`{"a..b":1}`, "filter.field", "empty name"}, {`{"` + strings.Repeat("x", MaxField+1) + `":1}`, "filter.field", "longer"}, {`{"` + strings.Repeat("x.", MaxParts) + `x":1}`, "filter.field", "names"},
		{deep, "", "nested"}, {`{"a":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`, "", "nested"}, {`{"a":` + strings.Repeat(`{"$not":`, 30) + `{"$gt":1}` + strings.Repeat("}", 30) + `}`, "", "nested"},
		{`{"$or":[` + strings.Repeat(`{"a":1},`, MaxNodes) + `{"a":1}]}`, "", "parts"}, {`{"a":[` + strings.Repeat(`1,`, MaxValues) + `1]}`, "", "values"}, {`{"a":"` + strings.Repeat(`x`, MaxText+1) + `"}`, "", "longer"},
	} {
		_, err := ParseMongo(parse(t, c.filter).(map[string]any))
		f := fault.As(err)
		if f == nil || f.Code != fault.Invalid || f.Reason != "query" || c.field != "" && f.Field != c.field || !strings.Contains(f.Message, c.says) {
			t.Errorf("%.80s: %#v, want a fault of %s that says %q", c.filter, f, c.field, c.says)
		}
		if f != nil && len(f.Message)+len(f.Field) > 900 {
			t.Errorf("%.80s: the fault repeats %d bytes", c.filter, len(f.Message)+len(f.Field))
		}
	}
}
