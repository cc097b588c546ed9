package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"parley/internal/face/admin"
)

// Columns that are met late, one after the other, stand in every row of the
// file, and every cell in its own.
func TestRowsAreWidened(t *testing.T) {
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	people := []admin.Person{{FirstName: "=1", LastName: "a\nb"}}
	for i := range 3000 { // more than a buffer holds, between two new columns
		p := admin.Person{ID: fmt.Sprint(i), FirstName: "First", LastName: `"q", ` + fmt.Sprint(i)}
		switch i {
		case 0:
			p.Refs = map[string]string{"orderId": "O"}
		case 1000:
			p.Extra = map[string]any{"plan": "pro", "a": true}
		case 1001, 2999:
			p.Attributes = map[string]any{fmt.Sprint("k", i): "007", "phone": 7.0}
			p.Refs = map[string]string{"orderId": "P", fmt.Sprint("r", i): "x"}
		}
		people = append(people, p)
	}
	for _, some := range [][]admin.Person{people, people[:1], nil} {
		spool, file := open("spool"), open("file")
		tb := newTable(spool)
		for i := range some {
			if err := tb.add(&some[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := tb.end(); err != nil {
			t.Fatal(err)
		}
		if err := tb.copy(file); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(file).ReadAll() // refuses rows of different widths
		if err != nil || len(rows) != len(some)+1 {
			t.Fatal(len(rows), err)
		}
		for i, p := range some {
			got := map[string]string{}
			for at, name := range rows[0] {
				if cell := rows[i+1][at]; cell != "" {
					got[name] = cell
				}
			}
			want := map[string]string{"firstName": guard(p.FirstName), "lastName": p.LastName, "score": "0"}
			if p.ID != "" {
				want["id"] = p.ID
			}
			for k, v := range p.Refs {
				want["refs."+k] = v
			}
			for k, v := range p.Extra {
				want["extra."+k] = writeValue(v)
			}
			for k, v := range p.Attributes {
				want[header(k)] = writeValue(v)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("row %d: %v, want %v", i, got, want)
			}
		}
	}
}
