package id

import (
	"sort"
	"strings"
	"sync"
	"testing"
)

func TestIDsGrowAndDiffer(t *testing.T) {
	const n = 70_000 // more than one millisecond's counter holds
	seen := make(map[ID]bool, n)
	var prev ID
	for i := 0; i < n; i++ {
		v := at(1_700_000_000_000)
		if strings.Compare(v.String(), prev.String()) <= 0 {
			t.Fatalf("id %d: %s does not grow after %s", i, v, prev)
		}
		if seen[v] {
			t.Fatalf("id %s made twice", v)
		}
		seen[v], prev = true, v
	}
}

func TestConcurrentIDsAreUnique(t *testing.T) {
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine := make([]string, 500)
			for i := range mine {
				mine[i] = New().String()
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		}()
	}
	wg.Wait()
	sort.Strings(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Fatalf("id %s made twice", all[i])
		}
	}
}

func TestTwoSpellings(t *testing.T) {
	for i := 0; i < 1000; i++ {
		v := New()
		back, err := Parse(strings.ToUpper(v.String()))
		if err != nil || back != v {
			t.Fatalf("Parse(%s) = %s, %v", v, back, err)
		}
		u := v.UUID()
		if u[14] != '8' {
			t.Fatalf("%s is not a version 8 UUID", u)
		}
		back, ok, err := FromUUID(u)
		if err != nil || !ok || back != v {
			t.Fatalf("FromUUID(%s) = %s, %v, %v", u, back, ok, err)
		}
	}
}

func TestForeignAndMalformed(t *testing.T) {
	if _, ok, err := FromUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"); ok || err != nil {
		t.Fatalf("a foreign UUID must be unknown, not malformed: ok=%v err=%v", ok, err)
	}
	for _, s := range []string{"", "x", strings.Repeat("g", 24), strings.Repeat("a", 23), strings.Repeat("a", 25), strings.Repeat("0", 24)} {
		if _, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) must fail", s)
		}
	}
	if _, _, err := FromUUID("6ba7b810-9dad-11d1-80b4_00c04fd430c8"); err == nil {
		t.Error("a UUID with a wrong dash must be malformed")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("65f0c0ffee65f0c0ffee65f0")
	f.Add("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := Parse(s); err == nil && v.String() != strings.ToLower(s) {
			t.Fatalf("Parse(%q).String() = %q", s, v)
		}
		if v, ok, err := FromUUID(s); err == nil && ok && v.UUID() != strings.ToLower(s) {
			t.Fatalf("FromUUID(%q) does not return", s)
		}
	})
}
