package id

import (
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// UUID returns v embedded in a UUIDv8, the spelling of contracts that want
// UUIDs. The last three bytes are a checksum, so that a UUID from elsewhere is
// recognised as not ours.
func (v ID) UUID() string {
	u := v.embed()
	h := hex.EncodeToString(u[:])
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (v ID) embed() (u [16]byte) {
	copy(u[0:6], v[0:6])
	u[6] = 0x80 | v[6]>>4
	u[7] = v[6]<<4 | v[7]>>4
	u[8] = 0x80 | v[7]&0x0f
	copy(u[9:13], v[8:12])
	c := crc32.ChecksumIEEE(v[:])
	u[13], u[14], u[15] = byte(c>>16), byte(c>>8), byte(c)
	return u
}

// FromUUID reads a UUID. ok is false for a well-formed UUID that Parley never
// made (it is unknown, not malformed); err is ErrMalformed for anything else.
func FromUUID(s string) (v ID, ok bool, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return Zero, false, ErrMalformed
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return Zero, false, ErrMalformed
	}
	copy(v[0:6], b[0:6])
	v[6] = b[6]<<4 | b[7]>>4
	v[7] = b[7]<<4 | b[8]&0x0f
	copy(v[8:12], b[9:13])
	if v.embed() != [16]byte(b) {
		return Zero, false, nil
	}
	return v, true, nil
}
