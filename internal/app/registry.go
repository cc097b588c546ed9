package app

import (
	"context"
	"slices"
	"strings"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/secret"
	"parley/internal/store"
)

// maxApps is how many apps a tenant registers.
const maxApps = 200

// registered is an app with the secrets that were made or given.
type registered struct {
	app App
	own Secrets
}

// Register makes an app known to a tenant and appends app.created. The secrets are
// those given, else new ones; they are returned this once. Faults: Invalid naming
// the field; Conflict naming "key" when the developer has an app of that key, and
// when the tenant has 200 apps.
func (s *Service) Register(ctx context.Context, tenant id.ID, actor string, n NewApp) (App, Secrets, error) {
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (registered, error) {
		a := appRow{App: n.App}
		a.ID, a.CreatedAt, a.UpdatedAt = id.New(), tx.Now(), tx.Now()
		if a.ClientID == "" {
			a.ClientID = "app_" + a.ID.String()
		}
		own := n.Secrets
		if own.ClientSecret == "" {
			own.ClientSecret = newSecret()
		}
		if own.PrivateKey == "" {
			own.PrivateKey = newSecret()
		}
		if err := s.fill(tx, &a, own); err != nil {
			return registered{}, err
		}
		if err := tx.Lock("app", "registry"); err != nil {
			return registered{}, err
		}
		all, err := apps(tx)
		if err != nil {
			return registered{}, err
		}
		if len(all) >= maxApps {
			return registered{}, fault.New(fault.Conflict, "the account has %d apps, which is the most; delete one first", maxApps)
		}
		if err := noOwnField(tx, a.App); err != nil {
			return registered{}, err
		}
		fresh, err := insertApp(tx, a)
		if err != nil {
			return registered{}, err
		}
		if !fresh {
			f := fault.New(fault.Conflict, "%s has an app with the key %s already; change that one, or choose another key", a.Developer, a.Key)
			f.Field = "key"
			return registered{}, f
		}
		return registered{a.App, own}, s.append(tx, actor, "app.created", a.ID)
	})
	return out.app, out.own, err
}

func newSecret() string { return secret.NewToken("", 32) }

// fill checks an app and seals those secrets that are not empty.
func (s *Service) fill(tx *store.Tx, a *appRow, own Secrets) (err error) {
	if a.App, err = a.App.checked(); err != nil {
		return err
	}
	if len(a.Scopes) == 0 {
		return fault.Field("scopes", "scopes must name at least one scope for the keys of the app")
	}
	for _, x := range []struct {
		field, what, plain string
		to                 *string
	}{{"clientSecret", ofSecret, own.ClientSecret, &a.secret}, {"privateKey", ofPrivate, own.PrivateKey, &a.private}} {
		if x.plain == "" {
			continue
		}
		if err := checkSecret(x.field, x.plain); err != nil {
			return err
		}
		if *x.to, err = s.tenants.SealFor(tx.Tenant(), place(a.ID, x.what), x.plain); err != nil {
			return err
		}
	}
	return nil
}

// Update changes an app and appends app.updated with the names of what changed.
// Secrets that were replaced are returned this once. New scopes are given to the
// keys of its instances at once; after a new address or secret, what its instances
// have yet to hear is tried at once. Faults: NotFound; Invalid naming the field.
func (s *Service) Update(ctx context.Context, tenant id.ID, actor string, app id.ID, p Patch) (App, Secrets, error) {
	out, err := store.Write(ctx, s.db, tenant, func(tx *store.Tx) (registered, error) {
		if err := tx.Lock("app", "registry", app.String()); err != nil {
			return registered{}, err
		}
		a, err := living(tx, app)
		if err != nil {
			return registered{}, err
		}
		before := slices.Clone(a.Scopes)
		own, changed := p.apply(&a)
		if err := s.fill(tx, &a, own); err != nil {
			return registered{}, err
		}
		if len(changed) == 0 {
			return registered{a.App, own}, nil
		}
		if err := noOwnField(tx, a.App); err != nil {
			return registered{}, err
		}
		a.UpdatedAt = tx.Now()
		if err := updateApp(tx, a); err != nil {
			return registered{}, err
		}
		if !slices.Equal(before, a.Scopes) {
			if err := s.rescope(tx, a.App); err != nil {
				return registered{}, err
			}
		}
		if slices.ContainsFunc(changed, func(c string) bool { return c == "baseUrl" || c == "clientId" || c == "clientSecret" }) {
			if err := s.reawaken(tx, a.ID); err != nil {
				return registered{}, err
			}
		}
		return registered{a.App, own}, s.append(tx, actor, "app.updated", a.ID, changed...)
	})
	return out.app, out.own, err
}

// apply puts the patch into an app and returns the secrets that it replaces.
func (p Patch) apply(a *appRow) (own Secrets, changed []string) {
	set(&changed, "name", &a.Name, p.Name)
	set(&changed, "baseUrl", &a.BaseURL, p.BaseURL)
	set(&changed, "clientId", &a.ClientID, p.ClientID)
	set(&changed, "scopes", &a.Scopes, p.Scopes)
	set(&changed, "reports", &a.Reports, p.Reports)
	set(&changed, "buttons", &a.Buttons, p.Buttons)
	set(&changed, "prospectFields", &a.ProspectFields, p.ProspectFields)
	set(&changed, "userFields", &a.UserFields, p.UserFields)
	set(&changed, "push", &a.Push, p.Push)
	for _, x := range []struct {
		name      string
		given, to *string
	}{{"clientSecret", p.ClientSecret, &own.ClientSecret}, {"privateKey", p.PrivateKey, &own.PrivateKey}} {
		if x.given == nil {
			continue
		}
		if *x.to = *x.given; *x.to == "" {
			*x.to = newSecret()
		}
		changed = append(changed, x.name)
	}
	return own, changed
}

func set[T any](changed *[]string, name string, to, from *T) {
	if from != nil {
		*to = *from
		*changed = append(*changed, name)
	}
}

// rescope gives the keys of an app's instances the app's scopes.
func (s *Service) rescope(tx *store.Tx, a App) error {
	all, err := instances(tx, "app_id=? AND state<>'uninstalled' ORDER BY id", a.ID)
	if err != nil {
		return err
	}
	for _, i := range all {
		if _, err := s.keys.EditIn(tx, i.Key, access.Edit{Scopes: &a.Scopes}); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// reawaken tries at once what an app that is called differently has yet to confirm,
// also what was given up.
func (s *Service) reawaken(tx *store.Tx, app id.ID) error {
	all, err := instances(tx, "app_id=? AND owes<>'' ORDER BY id", app)
	if err != nil {
		return err
	}
	for _, x := range all {
		i, err := locked(tx, x.ID)
		if err != nil {
			return err
		}
		if i.Owes == "" {
			continue
		}
		i.owe(tx, true)
		if err := updateInstance(tx, i); err != nil {
			return err
		}
		if err := s.plan(tx, i); err != nil {
			return err
		}
	}
	return nil
}

// gone reports whether an error says that a key was revoked elsewhere.
func gone(err error) bool {
	f := fault.As(err)
	return f != nil && f.Code == fault.NotFound
}

// Delete takes an app away and appends app.deleted; its row stays for instances
// that ended. Faults: NotFound; Conflict with Reason "instances" while it is
// installed somewhere.
func (s *Service) Delete(ctx context.Context, tenant id.ID, actor string, app id.ID) (App, error) {
	return store.Write(ctx, s.db, tenant, func(tx *store.Tx) (App, error) {
		if err := tx.Lock("app", app.String()); err != nil {
			return App{}, err
		}
		a, err := living(tx, app)
		if err != nil {
			return App{}, err
		}
		used, err := instances(tx, "app_id=? AND state<>'uninstalled' LIMIT 1", app)
		if err != nil {
			return App{}, err
		}
		if len(used) > 0 {
			return App{}, fault.New(fault.Conflict, "the app is installed; uninstall its instances first").Because("instances")
		}
		a.DeletedAt, a.UpdatedAt = tx.Now(), tx.Now()
		if _, err := tx.Exec("UPDATE app SET deleted_at=?, updated_at=? WHERE tenant_id=? AND id=?", a.DeletedAt, a.UpdatedAt, app); err != nil {
			return App{}, err
		}
		return a.App, s.append(tx, actor, "app.deleted", app)
	})
}

// Apps returns the tenant's apps, oldest first.
func (s *Service) Apps(r store.Reader) ([]App, error) {
	all, err := apps(r)
	out := make([]App, len(all))
	for i, a := range all {
		out[i] = a.App
	}
	return out, err
}

// App returns an app that was not deleted. NotFound.
func (s *Service) App(r store.Reader, app id.ID) (App, error) {
	a, err := living(r, app)
	return a.App, err
}

// noOwnField refuses an app whose fields would be called like one of the tenant's
// own.
func noOwnField(tx *store.Tx, a App) error {
	own, err := ownFields(tx, "")
	if err != nil {
		return err
	}
	for _, f := range own {
		if strings.HasPrefix(f.Key, a.Slug()+"_") {
			f := fault.New(fault.Conflict, "the account has an additional field %s, which looks like one of this app; rename it first, or choose another key", f.Key)
			f.Field = "key"
			return f
		}
	}
	return nil
}
