package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// KeySize is the length of the sealing key, in bytes (AES-256).
const KeySize = 32

// version begins every sealed text, so that the scheme can change later.
const version = "v1:"

// ErrSealed reports a sealed text that this key does not open: it was damaged,
// moved to another place, or sealed under another key.
var ErrSealed = errors.New("secret: the sealed value does not open; check that the server runs with the key it was sealed with")

// Box seals and opens secrets with AES-256-GCM. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
	mac  []byte // key of MAC, derived from the box's own
}

// NewBox returns the box of a key of KeySize bytes.
func NewBox(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, errKeySize
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sub := hmac.New(sha256.New, key)
	sub.Write([]byte("parley: links"))
	return &Box{aead, sub.Sum(nil)}, nil
}

// Place names where a sealed value lives, as associated data: the tenant and
// the name. A value copied to another place does not open there.
func Place(tenant, name string) string { return tenant + "\x00" + name }

// Seal encrypts plain for a place. Sealing twice gives two different texts.
func (b *Box) Seal(plain, place string) string {
	nonce := make([]byte, b.aead.NonceSize())
	_, _ = rand.Read(nonce) // crypto/rand.Read never fails since Go 1.24
	out := b.aead.Seal(nonce, nonce, []byte(plain), []byte(place))
	return version + base64.RawStdEncoding.EncodeToString(out)
}

// Open decrypts what Seal made for the same place, or returns ErrSealed.
func (b *Box) Open(sealed, place string) (string, error) {
	text, ok := strings.CutPrefix(sealed, version)
	if !ok {
		return "", ErrSealed
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	n := b.aead.NonceSize()
	if err != nil || len(raw) < n || strings.ContainsAny(text, "\r\n") {
		return "", ErrSealed
	}
	plain, err := b.aead.Open(nil, raw[:n], raw[n:], []byte(place))
	if err != nil {
		return "", ErrSealed
	}
	return string(plain), nil
}
