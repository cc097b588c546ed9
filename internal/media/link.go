package media

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Path is where links lead; the id of the file follows.
const Path = "/media/"

// day is how often links change, and lifetime how long they are good beyond the
// day they were made in: a browser's cache finds the same address all day.
const (
	day      = 24 * time.Hour
	lifetime = 2 * day
)

// purpose keeps the MACs of links apart from others of the same key.
const purpose = "media link"

// Link returns the address under which a file can be read by whoever has it, for
// two to three days: "/media/<id>?e=<Unix seconds>&s=<MAC>", behind the base of At.
func (s *Service) Link(tenantID, file id.ID) string {
	until := s.db.Clock().Now().Truncate(day).Add(day + lifetime)
	e := strconv.FormatInt(until.Unix(), 10)
	return s.base + Path + file.String() + "?e=" + e + "&s=" + s.mac(tenantID, file, e)
}

func (s *Service) mac(tenantID, file id.ID, expires string) string {
	sum := s.tenants.MAC(tenantID, purpose, file.String()+"\x00"+expires)
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// ByLink opens the file of a link. Faults: NotFound for one that is unknown or
// not ours, alike; Forbidden for one that was ours and has expired.
func (s *Service) ByLink(ctx context.Context, file, expires, mac string) (*Reader, error) {
	fid, err := id.Parse(file)
	if err != nil {
		return nil, fault.Unknown("file")
	}
	f, found, err := anyByID(s.db.Read(ctx, id.Zero), fid)
	if err != nil {
		return nil, err
	}
	if !found || f.state != ready || !s.signed(f.Tenant, fid, expires, mac) {
		return nil, fault.Unknown("file")
	}
	until, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !s.db.Clock().Now().Before(time.Unix(until, 0)) {
		return nil, fault.New(fault.Forbidden, "the link has expired; read the message again for a new one").Because("expired")
	}
	return &Reader{File: f, r: s.db.Read(ctx, f.Tenant), n: -1}, nil
}

func (s *Service) signed(tenantID, file id.ID, expires, mac string) bool {
	return hmac.Equal([]byte(s.mac(tenantID, file, expires)), []byte(mac))
}

// Ours returns the file that an address of ours names, expired or not: a client
// may send again what it once read. ok is false for any other address.
func (s *Service) Ours(r store.Reader, address string) (file id.ID, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return id.Zero, false
	}
	name, found := strings.CutPrefix(u.Path, Path)
	if !found {
		return id.Zero, false
	}
	if file, err = id.Parse(name); err != nil {
		return id.Zero, false
	}
	q := u.Query()
	return file, s.signed(r.Tenant(), file, q.Get("e"), q.Get("s"))
}
