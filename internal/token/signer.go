package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// topic is the wake that follows a rotation.
const topic = "signing_key"

// keepFor bounds how long a node may miss a rotation when the database's
// notifications are lost.
const keepFor = 5 * time.Second

// algorithm is what every key signs with: ECDSA over P-256 with SHA-256.
const algorithm = "ES256"

// signer is a key that signs or signed: its public half.
type signer struct {
	kid       string
	issuer    string
	public    *ecdsa.PublicKey
	createdAt time.Time
	retiredAt time.Time // zero: it signs
	endsAt    time.Time // of the last token that it signed
}

// verifies reports whether a token that it signed may be valid at a moment.
func (s signer) verifies(at time.Time) bool {
	return s.public != nil && (s.retiredAt.IsZero() || at.Before(s.endsAt))
}

// place names where a private key is sealed.
func place(kid string) string { return "signing-key:" + kid }

// lockSigner makes issuing and rotating run one after the other, so that no token is
// signed by a key that was thought to have signed its last.
func lockSigner(sys *store.Tx) error { return sys.Lock("signing_key", "current") }

// currentIn returns the key that signs, with its private half; the first use of a
// server makes it. The caller holds lockSigner.
func (s *Service) currentIn(sys *store.Tx) (signer, *ecdsa.PrivateKey, error) {
	var sealed string
	k, err := scanSigner(sys.QueryRow("SELECT "+signerColumns+", private_key FROM signing_key WHERE tenant_id=? AND retired_at IS NULL"), &sealed)
	ok, err := store.Found(err)
	if err != nil {
		return signer{}, nil, err
	}
	if !ok {
		return s.makeIn(sys, "")
	}
	private, err := s.open(k.kid, sealed)
	return k, private, err
}

func (s *Service) open(kid, sealed string) (*ecdsa.PrivateKey, error) {
	text, err := s.tenants.OpenFor(id.Zero, place(kid), sealed)
	if errors.Is(err, secret.ErrSealed) {
		return nil, fault.New(fault.Unready, "the key that signs tokens was sealed with another key: bring back the server's secret.key, or set PARLEY_SECRET_KEY to it")
	}
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("token: the signing key is not one of ECDSA")
	}
	return private, nil
}

// makeIn makes the key that signs from now on. Its issuer is the server's URL when it
// knows one, else that of the key before, else a name that nobody else has.
func (s *Service) makeIn(sys *store.Tx, before string) (signer, *ecdsa.PrivateKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, nil, err
	}
	k := signer{kid: id.New().String(), issuer: before, public: &private.PublicKey, createdAt: sys.Now(), endsAt: sys.Now()}
	switch {
	case s.url != "":
		k.issuer = strings.TrimRight(s.url, "/") + Path
	case before == "":
		k.issuer = "urn:parley:" + k.kid
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return k, nil, err
	}
	pub, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return k, nil, err
	}
	sealed, err := s.tenants.SealFor(id.Zero, place(k.kid), base64.StdEncoding.EncodeToString(der))
	if err != nil {
		return k, nil, err
	}
	_, err = sys.Exec("INSERT INTO signing_key (tenant_id, kid, alg, issuer, public_key, private_key, created_at, ends_at) VALUES (?,?,?,?,?,?,?,?)",
		k.kid, algorithm, k.issuer, base64.StdEncoding.EncodeToString(pub), sealed, k.createdAt, k.endsAt)
	sys.Wake(topic, "")
	return k, private, err
}

// Ready makes sure that there is a key to sign with, so that a server tells others
// how to verify its tokens before it has made one. Faults: Unready when the key was
// sealed by another server.
func (s *Service) Ready(ctx context.Context) error {
	return s.db.Write(ctx, id.Zero, func(sys *store.Tx) error {
		if err := lockSigner(sys); err != nil {
			return err
		}
		_, _, err := s.currentIn(sys)
		return err
	})
}

// Rotation is what became of a rotation.
type Rotation struct {
	Kid     string // of the key that signs now
	Revoked int    // tokens that were ended
}

// Rotate puts a new key in the place of the one that signs. Tokens of the former keys
// stay valid until they end; with now those keys end at once, and their tokens are
// revoked: for a key that leaked.
func (s *Service) Rotate(ctx context.Context, now bool) (Rotation, error) {
	return store.Write(ctx, s.db, id.Zero, func(sys *store.Tx) (out Rotation, err error) {
		if err := lockSigner(sys); err != nil {
			return out, err
		}
		var before string
		if _, err := store.Found(sys.QueryRow("SELECT issuer FROM signing_key WHERE tenant_id=? AND retired_at IS NULL").Scan(&before)); err != nil {
			return out, err
		}
		if _, err := sys.Exec("UPDATE signing_key SET retired_at=? WHERE tenant_id=? AND retired_at IS NULL", sys.Now()); err != nil {
			return out, err
		}
		if now {
			if out.Revoked, err = s.endAll(sys); err != nil {
				return out, err
			}
		}
		k, _, err := s.makeIn(sys, before)
		out.Kid = k.kid
		return out, err
	})
}

// endAll ends every key, and revokes the tokens that have not ended yet.
func (s *Service) endAll(sys *store.Tx) (n int, err error) {
	type one struct{ tenant, token id.ID }
	rows, err := sys.All().Query(`SELECT t.tenant_id, t.id FROM access_token t JOIN signing_key s ON s.tenant_id='' AND s.kid=t.kid
		WHERE t.expires_at > ? AND s.ends_at > ? ORDER BY t.tenant_id, t.id`, sys.Now(), sys.Now())
	open, err := store.Collect(rows, err, func(r *sql.Rows) (o one, err error) { return o, r.Scan(&o.tenant, &o.token) })
	if err != nil {
		return 0, err
	}
	for _, o := range open {
		k, err := s.access.GetIn(sys.For(o.tenant), o.token)
		if err != nil {
			return n, err
		}
		if !k.RevokedAt.IsZero() {
			continue
		}
		if err := s.access.RevokeIn(sys.For(o.tenant), o.token); err != nil {
			return n, err
		}
		n++
	}
	_, err = sys.Exec("UPDATE signing_key SET ends_at=? WHERE tenant_id=? AND ends_at>?", sys.Now(), sys.Now())
	return n, err
}

// byKid returns a key; a zero one when there is none of that name. Answers are kept
// for a few seconds; a rotation ends that on every node.
func (s *Service) byKid(ctx context.Context, kid string) (signer, error) {
	if _, err := id.Parse(kid); err != nil { // no key of ours is called that
		return signer{}, nil
	}
	k, version, ok := s.known.Get(kid)
	if ok {
		return k, nil
	}
	k, err := scanSigner(s.db.Read(ctx, id.Zero).QueryRow("SELECT "+signerColumns+" FROM signing_key WHERE tenant_id=? AND kid=?", kid))
	ok, err = store.Found(err)
	if err != nil || !ok {
		return signer{}, err
	}
	s.known.Put(kid, k, version)
	return k, nil
}

// signers returns the keys that verify at a moment, the newest first.
func (s *Service) signers(ctx context.Context) ([]signer, error) {
	r := s.db.Read(ctx, id.Zero)
	rows, err := r.Query("SELECT "+signerColumns+" FROM signing_key WHERE tenant_id=? AND (retired_at IS NULL OR ends_at>?) ORDER BY CASE WHEN retired_at IS NULL THEN 0 ELSE 1 END, created_at DESC, kid DESC", r.Now())
	return store.Collect(rows, err, func(r *sql.Rows) (signer, error) { return scanSigner(r) })
}

const signerColumns = "kid, issuer, public_key, created_at, retired_at, ends_at"

func scanSigner(r interface{ Scan(...any) error }, more ...any) (k signer, err error) {
	var text string
	if err := r.Scan(append([]any{&k.kid, &k.issuer, &text, store.Time(&k.createdAt), store.Time(&k.retiredAt), store.Time(&k.endsAt)}, more...)...); err != nil {
		return k, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return k, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return k, err
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return k, errors.New("token: a signing key is not one of ES256")
	}
	k.public = public
	return k, nil
}
