package secret

import (
	"crypto/hmac"
	"crypto/sha256"
)

// MAC returns the HMAC-SHA256 of a text under a key that every node with the
// same sealing key derives alike. It makes links that prove themselves. Purpose
// keeps one use apart from another; neither may be guessed from the other.
func (b *Box) MAC(purpose, text string) []byte {
	h := hmac.New(sha256.New, b.mac)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return h.Sum(nil)
}
