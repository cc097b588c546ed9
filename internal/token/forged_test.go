package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/internal/access"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/tenant"
	"parley/internal/token"
)

// Whoever knows the JWKS verifies without us, and what it verifies we do.
func TestTheJWKSVerifies(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{})
		public := published(t, w, tok.Kid)
		got, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return public, nil },
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(token.Audience), jwt.WithTimeFunc(w.clock.Now))
		if err != nil || !got.Valid {
			t.Error(err)
		}
	})
}

// published is a key as the JWKS tells it.
func published(t testing.TB, w world, kid string) *ecdsa.PublicKey {
	t.Helper()
	keys, err := w.tokens.JWKS(bg)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Kid != kid {
			continue
		}
		x, err1 := base64.RawURLEncoding.DecodeString(k.X)
		y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
		if err1 != nil || err2 != nil || len(x) != 32 || len(y) != 32 || k.Kty != "EC" || k.Crv != "P-256" || k.Alg != "ES256" || k.Use != "sig" {
			t.Fatalf("%+v", k)
		}
		return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
	}
	t.Fatal("the JWKS does not list " + kid)
	return nil
}

// Nothing that we did not sign gets in, whatever it says of itself.
func TestForgedTokens(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{Assignments: []string{token.Read}, ExpiresIn: time.Hour})
		parts := strings.Split(text, ".")
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		enc := func(v any) string {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return base64.RawURLEncoding.EncodeToString(b)
		}
		var said map[string]any
		raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(raw, &said)
		with := func(more map[string]any) map[string]any {
			out := map[string]any{}
			for k, v := range said {
				out[k] = v
			}
			for k, v := range more {
				out[k] = v
			}
			return out
		}
		head := func(more map[string]any) map[string]any {
			out := map[string]any{"alg": "ES256", "typ": "JWT", "kid": tok.Kid}
			for k, v := range more {
				if out[k] = v; v == nil {
					delete(out, k)
				}
			}
			return out
		}
		mac := func(h map[string]any, key []byte) string {
			signed := enc(h) + "." + parts[1]
			m := hmac.New(sha256.New, key)
			m.Write([]byte(signed))
			return signed + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
		}
		mine := func(h, body map[string]any) string {
			signed := enc(h) + "." + enc(body)
			sig, err := jwt.SigningMethodES256.Sign(signed, own)
			if err != nil {
				t.Fatal(err)
			}
			return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
		}
		public := published(t, w, tok.Kid)
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(own.X.Bytes()), "y": base64.RawURLEncoding.EncodeToString(own.Y.Bytes())}
		for what, forged := range map[string]string{
			"alg none":               enc(head(map[string]any{"alg": "none"})) + "." + parts[1] + ".",
			"alg None":               enc(head(map[string]any{"alg": "None"})) + "." + parts[1] + ".",
			"no signature":           parts[0] + "." + parts[1] + ".",
			"two parts":              parts[0] + "." + parts[1],
			"HS256 with the PEM":     mac(head(map[string]any{"alg": "HS256"}), block),
			"HS256 with the DER":     mac(head(map[string]any{"alg": "HS256"}), der),
			"RS256":                  enc(head(map[string]any{"alg": "RS256"})) + "." + parts[1] + "." + parts[2],
			"ES384":                  enc(head(map[string]any{"alg": "ES384"})) + "." + parts[1] + "." + parts[2],
			"another's signature":    mine(head(nil), said),
			"another's key as jwk":   mine(head(map[string]any{"jwk": jwk}), said),
			"an address of keys":     mine(head(map[string]any{"jku": "http://127.0.0.1:1/jwks.json"}), said),
			"an unknown kid":         mine(head(map[string]any{"kid": id.New().String()}), said),
			"a kid that is a path":   mine(head(map[string]any{"kid": "../../../dev/null"}), said),
			"a kid that is SQL":      mine(head(map[string]any{"kid": "x' OR '1'='1"}), said),
			"a kid that is a number": mine(head(map[string]any{"kid": 7}), said),
			"no kid":                 mine(head(map[string]any{"kid": nil}), said),
			"more scopes":            parts[0] + "." + enc(with(map[string]any{"scope": "targeting:admin"})) + "." + parts[2],
			"a later end":            parts[0] + "." + enc(with(map[string]any{"exp": said["exp"].(float64) + 1e6})) + "." + parts[2],
			"truncated":              text[:len(text)-1],
			"truncated in the body":  parts[0] + "." + parts[1][:len(parts[1])-4] + "." + parts[2],
			"padded":                 text + "=",
			"longer":                 text + "A",
			"a blank in front":       " " + text,
			"empty":                  "",
			"dots":                   "..",
			"huge":                   parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2],
			"a key":                  "parley_targeting_" + strings.Repeat("0", 64),
		} {
			refuses(t, w.tokens, what, forged)
		}
		if _, err := w.tokens.Verify(bg, text); err != nil {
			t.Errorf("the true one: %v", err)
		}
	})
}

// What we signed counts only as we meant it: each thing that a token says is checked,
// and a thing that it does not say is not taken for granted.
func TestSignedButWrong(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		text, tok := w.issue(t, token.New{ExpiresIn: time.Hour})
		private := w.private(t, tok.Kid)
		var said map[string]any
		raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
		_ = json.Unmarshal(raw, &said)
		other, err := w.ten.Create(bg, tenant.NewTenant{Name: "Other"})
		if err != nil {
			t.Fatal(err)
		}
		_, opaque, err := w.keys.Create(bg, w.acme.ID, access.NewKey{Face: "targeting"})
		if err != nil {
			t.Fatal(err)
		}
		sign := func(header, more map[string]any) string {
			c := jwt.MapClaims{}
			for k, v := range said {
				c[k] = v
			}
			for k, v := range more {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			j := jwt.NewWithClaims(jwt.SigningMethodES256, c)
			j.Header["kid"] = tok.Kid
			for k, v := range header {
				j.Header[k] = v
			}
			out, err := j.SignedString(private)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if _, err := w.tokens.Verify(bg, sign(nil, nil)); err != nil {
			t.Fatalf("as it was: %v", err)
		}
		now := start.Unix()
		for what, more := range map[string]map[string]any{
			"another issuer": {"iss": "urn:parley:0"}, "no issuer": {"iss": nil}, "another audience": {"aud": "parley:sales"}, "no audience": {"aud": nil},
			"no end": {"exp": nil}, "ended": {"exp": now - 1}, "ends now": {"exp": now}, "not yet": {"nbf": now + 3600}, "no beginning": {"nbf": nil},
			"made tomorrow": {"iat": now + 86400}, "another type": {"token_type": "publishable"}, "no type": {"token_type": nil},
			"no key": {"jti": nil}, "an unknown key": {"jti": id.New().String()}, "a key with its own token": {"jti": opaque.ID.String()},
			"another organisation": {"org_id": other.ID.UUID()}, "no organisation": {"org_id": nil}, "an end in words": {"exp": "tomorrow"}, "a list for a key": {"jti": []string{tok.ID.String()}},
		} {
			refuses(t, w.tokens, what, sign(nil, more))
		}
		for what, header := range map[string]map[string]any{"crit": {"crit": []string{"exp"}}, "typ": {"typ": "at+jwt"}, "x5c": {"x5c": []string{"AA"}}, "cty": {"cty": "JWT"}} {
			refuses(t, w.tokens, what, sign(header, nil))
		}
	})
}

func (w world) private(t testing.TB, kid string) *ecdsa.PrivateKey {
	t.Helper()
	var sealed string
	if err := w.db.Read(bg, id.Zero).QueryRow("SELECT private_key FROM signing_key WHERE tenant_id=? AND kid=?", kid).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	text, err := w.box.Open(sealed, secret.Place("", "signing-key:"+kid))
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}
