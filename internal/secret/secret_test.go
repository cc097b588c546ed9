package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func box(t testing.TB) *Box {
	t.Helper()
	key := make([]byte, KeySize)
	_, _ = rand.Read(key)
	b, err := NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTokensAndHashes(t *testing.T) {
	a, b := NewToken("erix_", 32), NewToken("erix_", 32)
	if a == b || len(a) != 5+64 || !strings.HasPrefix(a, "erix_") || strings.ToLower(a) != a {
		t.Errorf("%s %s", a, b)
	}
	// FIPS 180-2, "abc"
	if got := Hash("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(got)
	}
	if !Equal("x", "x") || Equal("x", "y") || Equal("x", "xx") || Equal("", "x") || !Equal("", "") {
		t.Error("Equal")
	}
}

func TestSealAndOpen(t *testing.T) {
	b := box(t)
	for _, plain := range []string{"", "hunter2", strings.Repeat("é", 10_000)} {
		one, two := b.Seal(plain, Place("t", "n")), b.Seal(plain, Place("t", "n"))
		if one == two || !strings.HasPrefix(one, "v1:") || (plain != "" && strings.Contains(one, plain)) {
			t.Errorf("%.40s %.40s", one, two)
		}
		if got, err := b.Open(one, Place("t", "n")); err != nil || got != plain {
			t.Errorf("%q, %v", got, err)
		}
	}
	sealed := b.Seal("hunter2", Place("ta", "b"))
	for _, place := range []string{Place("t", "ab"), Place("ta", "c"), ""} {
		if _, err := b.Open(sealed, place); !errors.Is(err, ErrSealed) {
			t.Errorf("opened at %q: %v", place, err)
		}
	}
	if _, err := box(t).Open(sealed, Place("ta", "b")); !errors.Is(err, ErrSealed) {
		t.Errorf("opened with another key: %v", err)
	}
	for i := range sealed { // every damaged byte is noticed
		damaged := []byte(sealed)
		damaged[i] ^= 1
		if _, err := b.Open(string(damaged), Place("ta", "b")); !errors.Is(err, ErrSealed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, s := range []string{"", "v1:", "v2:" + sealed[3:], sealed[3:], sealed[:len(sealed)-1], sealed + "A", "v1:AAAA", "v1:!!!"} {
		if _, err := b.Open(s, Place("ta", "b")); !errors.Is(err, ErrSealed) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	b := box(f)
	f.Add("v1:AAAA")
	f.Add(b.Seal("x", "other"))
	f.Fuzz(func(t *testing.T, s string) {
		if plain, err := b.Open(s, "here"); err == nil {
			t.Fatalf("%q opens to %q", s, plain)
		}
	})
}

func TestSignatures(t *testing.T) {
	// RFC 4231, test case 2
	const want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	body := []byte("what do ya want for nothing?")
	if got := Sign("Jefe", body); got != want {
		t.Fatal(got)
	}
	for header, ok := range map[string]bool{
		want: true, want[7:]: true, " " + want + " ": true, strings.ToUpper(want[7:]): true,
		"": false, "sha256=": false, want[:70]: false, "sha1=" + want[7:]: false, want + "00": false, "sha256=zz": false,
		strings.Replace(want, "5b", "5c", 1): false,
	} {
		if Verify("Jefe", body, header) != ok {
			t.Errorf("Verify(%q) is not %v", header, ok)
		}
	}
	if Verify("Jefe", append(body, ' '), want) || Verify("jefe", body, want) || Verify("", body, Sign("", body)) {
		t.Error("another body, another secret or no secret verifies")
	}
}

func TestKeyFromTheEnvironment(t *testing.T) {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key)
	b, err := NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := b.Seal("x", "p")
	dir := t.TempDir()
	for _, env := range []string{
		hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)), base64.StdEncoding.EncodeToString(key),
		base64.RawURLEncoding.EncodeToString(key), " " + hex.EncodeToString(key) + "\n",
	} {
		got, err := LoadBox(dir, env)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := got.Open(sealed, "p"); err != nil || plain != "x" {
			t.Errorf("%v", err)
		}
	}
	for _, env := range []string{"short", hex.EncodeToString(key[:31]), hex.EncodeToString(key) + "00", "geheimgeheimgeheim"} {
		_, err := LoadBox(dir, env)
		if err == nil || strings.Contains(err.Error(), env) || !strings.Contains(err.Error(), "32 bytes") {
			t.Errorf("a bad key: %v", err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the environment's key was written down: %v", left)
	}
}

func TestKeyFileIsMadeOnceUnderARace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const n = 32
	boxes := make([]*Box, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			b, err := LoadBox(dir, "")
			if err != nil {
				t.Error(err)
			}
			boxes[i] = b
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed := boxes[0].Seal("x", "p")
	for i, b := range boxes {
		if _, err := b.Open(sealed, "p"); err != nil {
			t.Errorf("box %d has another key", i)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != KeyFile {
		t.Errorf("%v %v", files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	later, err := LoadBox(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.Open(sealed, "p"); err != nil {
		t.Error("the key changed at the next start")
	}
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, KeyFile)
	good := hex.EncodeToString(make([]byte, KeySize))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660} {
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadBox(dir, ""); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
		os.Remove(path)
	}
	for _, text := range []string{"", "\n", "nonsense", good[:60], strings.Repeat("a", 5000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadBox(dir, ""); err == nil {
			t.Errorf("%.20q accepted", text)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Error("a bad key file was replaced; what it sealed would be lost")
		}
	}
	os.Remove(path)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadBox(dir, ""); err == nil {
		t.Error("a folder accepted as key")
	}
}
