package phone

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"parley/internal/fault"
)

func TestKey(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		// India, the platform's default
		{"9876543210", "IN", "919876543210"},
		{"9876543210", "", "919876543210"},
		{"9876543210", "in", "919876543210"},
		{"98765 43210", "IN", "919876543210"},
		{"+91-98765-43210", "IN", "919876543210"},
		{"0091 98765 43210", "IN", "919876543210"},
		{"+0091 98765 43210", "IN", "919876543210"},
		{"919876543210", "IN", "919876543210"},
		{"09876543210", "IN", "919876543210"},
		{"1234567890", "IN", "911234567890"}, // ten digits always
		{"98765", "IN", "98765"},
		{"12345678", "IN", "12345678"}, // stays too short for the platform
		{"9123456789", "IN", "919123456789"},
		{"(+91) 98765 43210", "US", "919876543210"},
		// other regions
		{"(650) 253-0000", "US", "16502530000"},
		{"1 650 253 0000", "US", "16502530000"},
		{"011 91 98765 43210", "US", "919876543210"},
		{"+1 650 253 0000 x12", "US", "16502530000"},
		{"tel:+1-650-253-0000;ext=12", "IN", "16502530000"},
		{"07700 900123", "GB", "447700900123"}, // reserved for fiction
		{"+44 (0)7700 900123", "IN", "447700900123"},
		{"+44 (0)20 7946 0018", "IN", "442079460018"},
		{"020 7946 0018", "gb", "442079460018"},
		{"0151 23456789", "DE", "4915123456789"},
		{"+39 06 6982", "IN", "39066982"}, // Italy keeps its zero
		{"919876543210", "US", "919876543210"},
		{"4915123456789", "IN", "4915123456789"},
		// variants
		{"+54 9 11 2345 6789", "IN", "541123456789"},
		{"+54 11 2345 6789", "IN", "541123456789"},
		{"011 15 2345 6789", "AR", "541123456789"},
		{"5491123456789", "IN", "541123456789"},
		{"+52 1 55 1234 5678", "IN", "525512345678"},
		{"+52 55 1234 5678", "IN", "525512345678"},
		{"55 1234 5678", "MX", "525512345678"},
		{"+55 11 98765 4321", "IN", "5511987654321"},
		{"+55 11 8765 4321", "IN", "5511987654321"},
		{"11 8765-4321", "BR", "5511987654321"},
		{"+55 11 3765 4321", "IN", "551137654321"}, // a landline
		// scripts
		{"٩٨٧٦٥٤٣٢١٠", "IN", "919876543210"},
		{"۹۸۷۶۵۴۳۲۱۰", "IN", "919876543210"},
		{"＋９１ ９８７６５ ４３２１０", "US", "919876543210"},
		{"९८७६५४३२१०", "IN", "919876543210"},
		// what cannot be read
		{"12", "ZZ", "12"},
		{"0", "IN", "0"},
		{"0000000000", "US", "0000000000"},
		{"+0000", "US", "0000"},
		{strings.Repeat("9", 64), "IN", strings.Repeat("9", 64)},
		{"919876543210@s.whatsapp.net", "US", "919876543210"},
	} {
		if got, err := Key(c.raw, c.region); err != nil || got != c.want {
			t.Errorf("Key(%q, %q) = %q, %v; want %q", c.raw, c.region, got, err, c.want)
		}
	}
}

func TestKeyRefuses(t *testing.T) {
	for _, raw := range []string{"", " ", "+", "call me", strings.Repeat("9", 65), strings.Repeat(" ", 70) + "1", "\xff\xfe"} {
		_, err := Key(raw, "IN")
		if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != "phone" || f.Reason != "phone" {
			t.Errorf("Key(%q): %v", raw, err)
		}
	}
	if _, err := Key(strings.Repeat("٩", 64), "IN"); err != nil { // 64 characters, 128 bytes
		t.Error(err)
	}
}

func TestCheckPlatform(t *testing.T) {
	for key, ok := range map[string]bool{
		"123456789": false, "1234567890": true, "123456789012345": true, "1234567890123456": false, "": false, "12345abcde": false, "98765": false,
	} {
		err := CheckPlatform(key)
		if (err == nil) != ok {
			t.Errorf("CheckPlatform(%q) = %v", key, err)
		}
		if f := fault.As(err); err != nil && (f.Code != fault.Invalid || f.Field != "phone" || f.Reason != "phone") {
			t.Errorf("CheckPlatform(%q): %+v", key, f)
		}
	}
}

func TestDigitsOfEveryScript(t *testing.T) {
	seen := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if d, ok := digit(r); ok {
			seen++
			if before, ok := digit(r - 1); d > 0 && (!ok || before != d-1) {
				t.Errorf("%U is read as %d", r, d)
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d digits known", seen)
	}
	for _, s := range unicode.Nd.R16 {
		if (s.Hi-s.Lo+1)%10 != 0 || s.Stride != 1 {
			t.Errorf("block %U..%U is not in tens", s.Lo, s.Hi)
		}
	}
	for _, s := range unicode.Nd.R32 {
		if (s.Hi-s.Lo+1)%10 != 0 || s.Stride != 1 {
			t.Errorf("block %U..%U is not in tens", s.Lo, s.Hi)
		}
	}
}

var regions = []string{"IN", "US", "GB", "DE", "BR", "MX", "AR", "IT", "AE", "SG", "ZZ", ""}

// numbers makes numbers that look real more often than chance would.
func numbers() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9]{1,20}`),
		rapid.StringMatching(`(549|54|521|52|55|91|1|44|49|39|0|00|011)[0-9]{7,11}`),
		rapid.StringMatching(`(55)[1-9][1-9](9?)[2-9][0-9]{7}`),
		rapid.StringMatching(`(54)(9?)(11|351|2966)(15)?[0-9]{6,8}`),
	)
}

func TestKeyIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SampledFrom([]string{"", "+", "00", "+00"}).Draw(t, "sign") + numbers().Draw(t, "raw")
		key, err := Key(raw, rapid.SampledFrom(regions).Draw(t, "region"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Key("+"+key, rapid.SampledFrom(regions).Draw(t, "region2"))
		if err != nil || again != key {
			t.Fatalf("Key(%q) = %q, but Key(+key) = %q, %v", raw, key, again, err)
		}
	})
}

func TestFormattingDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sign := rapid.SampledFrom([]string{"", "+"}).Draw(t, "sign")
		number := numbers().Draw(t, "number")
		region := rapid.SampledFrom(regions).Draw(t, "region")
		var b strings.Builder
		b.WriteString(sign)
		for _, d := range number {
			b.WriteRune(d)
			b.WriteString(rapid.SampledFrom([]string{"", "", " ", "-", ".", "(", ")", "/", "\u00a0", "\u200e", "\u2011"}).Draw(t, "between"))
		}
		want, err1 := Key(sign+number, region)
		got, err2 := Key(b.String(), region)
		if err1 != nil || err2 != nil || got != want {
			t.Fatalf("%q gives %q (%v), %q gives %q (%v)", sign+number, want, err1, b.String(), got, err2)
		}
	})
}

func TestBrazilArgentinaMexicoFoldToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tail := rapid.StringMatching(`[1-9][1-9][6-9][0-9]{7}`).Draw(t, "br")
		with, without := "+55"+tail[:2]+"9"+tail[2:], "+55"+tail
		same(t, with, without)
		ten := rapid.StringMatching(`[1-9][0-9]{9}`).Draw(t, "ten")
		same(t, "+549"+ten, "+54"+ten)
		same(t, "+521"+ten, "+52"+ten)
	})
}

func same(t *rapid.T, a, b string) {
	ka, err := Key(a, "IN")
	kb, err2 := Key(b, "IN")
	if err != nil || err2 != nil || ka != kb {
		t.Fatalf("%s gives %s, %s gives %s", a, ka, b, kb)
	}
}

// TestTheShortWayIsTheLongWay proves settled: what it waves through, reading
// leaves as it is.
func TestTheShortWayIsTheLongWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.OneOf(rapid.StringMatching(`91[6-9][0-9]{9}`), rapid.StringMatching(`1[2-9][0-9]{9}`)).Draw(t, "d")
		if !settled(d) {
			t.Fatalf("%s is not taken the short way", d)
		}
		if long := readLong(d); long != d {
			t.Fatalf("the long way gives %s for %s", long, d)
		}
		if long := nationalLong(d, "IN"); len(d) == 12 && long != d {
			t.Fatalf("in IN the long way gives %s for %s", long, d)
		}
	})
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"+91 98765 43210", "00", "+", "٩٨", "x5", "1234567x9", "+54 9 11 15 2345 6789", "\xff1", "+5511", "021 5555 1234;ext=1"} {
		for _, r := range []string{"IN", "AR", ""} {
			f.Add(s, r)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		key, err := Key(raw, region)
		if err != nil {
			if fault.As(err) == nil {
				t.Fatalf("Key(%q): %v is no fault", raw, err)
			}
			return
		}
		if !plain(key) || key == "" {
			t.Fatalf("Key(%q) = %q", raw, key)
		}
		if again, err := Key("+"+key, region); len(key) < MaxInput && (err != nil || again != key) {
			t.Fatalf("Key(%q, %q) = %q, again %q, %v", raw, region, key, again, err)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	for name, raw := range map[string]string{"india": "9876543210", "key": "919876543210", "plus": "+91 98765 43210", "germany": "+4915123456789"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Key(raw, "IN"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
