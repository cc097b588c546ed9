package platform

import (
	"context"
	"strings"
	"sync"

	"parley/internal/fault"
	"parley/internal/httpx"
	"parley/internal/phone"
)

// regionOf tells the tenant's region when somebody asks.
type regionOf func() (string, error)

// region asks at most once per request.
func (f *Face) region(ctx context.Context, r *httpx.Request) regionOf {
	return sync.OnceValues(func() (string, error) {
		set, err := f.s.Tenants.Settings(ctx, r.Principal.Tenant)
		return set.Region, err
	})
}

// checkPhone applies this API's own rule, 10 to 15 digits once normalised
// (reference §4.1), which the rooms below do not know: other faces are laxer.
func (f *Face) checkPhone(ctx context.Context, r *httpx.Request, field, raw string) error {
	return phoneRule(f.region(ctx, r), field, raw)
}

func phoneRule(region regionOf, field, raw string) error {
	key, err := phoneKey(region, raw)
	if err == nil {
		err = phone.CheckPlatform(key)
	}
	if e := fault.As(err); e != nil && e.Reason == "phone" {
		c := *e
		c.Field = field
		return &c
	}
	return err
}

// phoneKey is what the spellings of one number share. An international form
// means the same in every region, so the usual call asks for none.
func phoneKey(region regionOf, raw string) (string, error) {
	where := ""
	if !strings.HasPrefix(raw, "+") && !strings.HasPrefix(raw, "00") {
		var err error
		if where, err = region(); err != nil {
			return "", err
		}
	}
	return phone.Key(raw, where)
}
