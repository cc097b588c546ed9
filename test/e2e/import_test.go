package e2e_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A file of people is taken in beside a running server and without one, and what
// an export writes can be taken in by another tenant, and exported again as it was.
func TestImportAndExport(t *testing.T) {
	eachDatabase(t, func(t *testing.T, flags []string) {
		code := func(name string) string {
			return parleyJSON[struct{ ClientCode string }](t, with(words("tenant create --name"), []string{name}, flags)...).ClientCode
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "people.csv")
		if err := os.WriteFile(file, []byte("\ufeffPhone;First Name;email;tags;dealValue;refs.orderId;extra.plan;size;note\r\n"+
			"+919876543210;Priya;Priya@Example.com;vip|hot;1500.5;ORD-1;pro;007;\"=1+2, \"\"q\"\"\nnext\"\r\n"+
			"+919876543211;Ravi;;;;;;7;\r\n;;;;;;;;\r\n+919876543212;Bad;;;much;;;;\r\n;Mail;only@example.com;;;;;;\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		a := code("A")
		run := func(tenant string, args ...string) result {
			return command(t, nil, with(args, []string{"--tenant", tenant}, flags)...)
		}
		refused := filepath.Join(dir, "refused.csv")

		r := run(a, "import", file, "--dry-run")
		if r.code != 2 || !strings.Contains(r.stdout, "3 created, 0 updated, 2 refused") {
			t.Errorf("%d %s %s", r.code, r.stdout, r.stderr)
		}
		p := serve(t, flags) // nothing was stored: the same again, beside a server
		r = run(a, "import", file, "--errors", refused)
		if r.code != 2 || !strings.Contains(r.stdout, "3 created, 0 updated, 2 refused") {
			t.Errorf("%d %s %s", r.code, r.stdout, r.stderr)
		}
		if b, _ := os.ReadFile(refused); !strings.Contains(string(b), "\n6;dealValue;") || !strings.Contains(string(b), "\n5;phone;") {
			t.Errorf("%s", b)
		}
		if r = run(a, "import", file); r.code != 2 || !strings.Contains(r.stdout, "0 created, 3 updated, 2 refused") {
			t.Errorf("%d %s %s", r.code, r.stdout, r.stderr)
		}
		first, second := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
		if r = run(a, "export", first); r.code != 0 || !strings.Contains(r.stdout, "exported 3 contacts") {
			t.Errorf("%d %s %s", r.code, r.stdout, r.stderr)
		}
		rows := people(t, first)
		if len(rows) != 4 || rows[1]["phone"] != "+919876543210" || rows[1]["email"] != "priya@example.com" || rows[1]["tags"] != "hot;vip" || rows[1]["dealValue"] != "1500.5" ||
			rows[1]["refs.orderId"] != "ORD-1" || rows[1]["extra.plan"] != "pro" || rows[1]["size"] != "007" || rows[1]["note"] != "'=1+2, \"q\"\nnext" ||
			rows[2]["size"] != "7" || rows[3]["email"] != "only@example.com" || rows[3]["phone"] != "" {
			t.Errorf("%q", rows)
		}
		p.stop()

		b := code("B")
		if r = run(b, "import", first); r.code != 0 || !strings.Contains(r.stdout, "3 created") {
			t.Errorf("%d %s %s", r.code, r.stdout, r.stderr)
		}
		if r = run(b, "export", second); r.code != 0 {
			t.Errorf("%d %s", r.code, r.stderr)
		}
		for i, row := range people(t, second) {
			for name, cell := range row {
				if !slices.Contains([]string{"id", "createdAt", "updatedAt"}, name) && cell != rows[i][name] {
					t.Errorf("row %d, %s: %q was %q", i, name, cell, rows[i][name])
				}
			}
		}
		for _, bad := range []string{"name\nx\n", "", "phone,Mobile\n1,2\n", "phone\n\"x\n", "phone,x\n\xff,\xfe\n"} {
			if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if r = run(b, "import", file); r.code != 1 || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%q: %d %s", bad, r.code, r.stderr)
			}
		}
	})
}

// people reads an export, each row by the names of its columns.
func people(t *testing.T, file string) (out []map[string]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll() // refuses rows of different lengths
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all {
		m := map[string]string{}
		for i, cell := range row {
			m[all[0][i]] = cell
		}
		out = append(out, m)
	}
	return out
}

func TestHealth(t *testing.T) {
	flags := []string{"--data", t.TempDir()}
	if r := command(t, nil, with([]string{"health"}, flags)...); r.code != 1 || !strings.Contains(r.stderr, "no server runs") {
		t.Errorf("%d %s", r.code, r.stderr)
	}
	p := serve(t, flags)
	if out := parley(t, with([]string{"health"}, flags)...); !strings.Contains(out, "ready at "+p.url) {
		t.Errorf("%s", out)
	}
	p.stop()
	if r := command(t, nil, with([]string{"health"}, flags)...); r.code != 1 {
		t.Errorf("%d %s", r.code, r.stdout)
	}
}
