package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/internal/face/admin"
)

func TestHeaders(t *testing.T) {
	c, left, err := readHeader([]string{"Phone", " First Name", "last_name", "E-Mail", "refs.orderId", "extra.plan", "Shoe Size", "attributes.source", "", "id", "createdAt"})
	want := columns{"phone", "firstName", "lastName", "email", "refs.orderId", "extra.plan", "attributes.Shoe Size", "attributes.source", "", "", ""}
	if err != nil || !slices.Equal(c, want) || !slices.Equal(left, []string{"id", "createdAt"}) {
		t.Errorf("%q %q %v", c, left, err)
	}
	for _, bad := range [][]string{{"firstName"}, {"phone", "Mobile"}, {"phone", "size", "attributes.size"}, {"phone", "refs."}, {""}} {
		if _, _, err := readHeader(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestRows(t *testing.T) {
	c, _, err := readHeader([]string{"phone", "name", "tags", "dealValue", "refs.no", "extra.n", "size", "note"})
	if err != nil {
		t.Fatal(err)
	}
	v := 12.5
	for _, x := range []struct {
		row   []string
		want  admin.Person
		field string
		fails bool
	}{
		{row: []string{"+91 98", "Priya Das Sharma", "vip; hot|x", "12.5", "007", "7", "007", "'=1+2"}, want: admin.Person{Phone: "+91 98", FirstName: "Priya", LastName: "Das Sharma",
			Tags: []string{"vip", "hot", "x"}, DealValue: &v, Refs: map[string]string{"no": "007"}, Extra: map[string]any{"n": 7.0}, Attributes: map[string]any{"size": "007", "note": "=1+2"}}},
		{row: []string{"1", "", `["a;b"]`}, want: admin.Person{Phone: "1", Tags: []string{"a;b"}}},
		{row: []string{"1", "", "", "1,5"}, field: "dealValue", fails: true},
		{row: append(make([]string, 8), "more"), fails: true},
		{row: append(make([]string, 8), " "), want: admin.Person{}},
	} {
		p, field, err := c.person(x.row)
		if x.fails {
			if err == nil || field != x.field {
				t.Errorf("%q: %q %v", x.row, field, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(p, x.want) {
			t.Errorf("%q: %+v %v", x.row, p, err)
		}
	}
}

func TestFormulasAreGuarded(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "=1+2": "'=1+2", "@cmd": "'@cmd", "-x": "'-x", "+1+2": "'+1+2", "\t=1": "'\t=1", "-": "'-",
		"+919876543210": "+919876543210", "-12.5": "-12.5", "'=x": "''=x", "'quoted'": "'quoted'", "'": "'",
	} {
		if got := guard(in); got != want || unguard(got) != in {
			t.Errorf("%q: %q, and back %q", in, got, unguard(got))
		}
	}
}

// FuzzCells proves that what an export writes an import reads as it was.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"", "7", "007", "true", "null", `"x"`, "[1]", "=1", "'=1", "''", " a ", "a;b", "+49"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.Contains(s, "\r") && strings.ToValidUTF8(s, "") == s && !strings.ContainsAny(s, "\u2028\u2029") {
			// person trims a cell before it takes the guard away
			if got := readValue(unguard(strings.TrimSpace(guard(writeValue(s))))); s != "" && got != any(s) {
				t.Errorf("%q came back as %#v", s, got)
			}
			if got := readTags(writeTags([]string{s, "b"})); strings.TrimSpace(s) != "" && !slices.Equal(got, []string{s, "b"}) {
				t.Errorf("the tag %q came back as %q", s, got)
			}
		}
		_ = unguard(s)
	})
}

func TestValuesKeepTheirTypes(t *testing.T) {
	for _, v := range []any{"text", "", "7", 7.0, true, "true", []any{"a", 1.0}, map[string]any{"a": "b"}, " x ", "null", `"q"`} {
		if got := readValue(unguard(strings.TrimSpace(guard(writeValue(v))))); !reflect.DeepEqual(got, v) {
			t.Errorf("%#v came back as %#v", v, got)
		}
	}
	for _, key := range []string{"size", "source", "Deal Value", "refs.x", "id", " x", "attributes.y"} {
		c, _, err := readHeader([]string{"phone", header(key)})
		if err != nil || c[1] != attributeColumn+key && c[1] != attributeColumn+strings.TrimSpace(key) {
			t.Errorf("%q is read as %q, %v", key, c[1], err)
		}
	}
}
