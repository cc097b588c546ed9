package platform

import (
	"context"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/phone"
)

// checkPhone applies this API's own rule, 10 to 15 digits once normalised
// (reference §4.1), which the rooms below do not know: other faces are laxer.
func (f *Face) checkPhone(ctx context.Context, r *httpx.Request, field, raw string) error {
	t, err := f.s.Tenants.ByCode(ctx, r.Principal.TenantCode)
	if err != nil {
		return err
	}
	return phoneRule(t.Settings.Region, field, raw)
}

func phoneRule(region, field, raw string) error {
	key, err := phone.Key(raw, region)
	if err == nil {
		err = phone.CheckPlatform(key)
	}
	if e := fault.As(err); e != nil {
		c := *e
		c.Field = field
		return &c
	}
	return err
}

// phoneKey is what two spellings of one number share.
func phoneKey(region, raw string) string {
	key, err := phone.Key(raw, region)
	if err != nil {
		return raw
	}
	return key
}
