package app

import (
	"context"
	"time"

	"parley/internal/access"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/store"
)

// face is the API that keys of instances are for.
const face = "sales"

// Install puts an app into a group and appends instance.created: a key is made, and
// the app is told by a job until it confirms. Until then the instance is Pending.
// Its key opens from the beginning, since the app may use it while it answers.
// Faults: NotFound of "app", "group", "agent"; Conflict with Reason "instance" when
// the app is installed in the group, "inactive" for the agent; Invalid of "name".
func (s *Service) Install(ctx context.Context, tenant id.ID, actor string, app id.ID, n NewInstance) (Instance, error) {
	return s.write(ctx, tenant, func(tx *store.Tx) (row, error) {
		if err := tx.Lock("app", app.String()); err != nil {
			return row{}, err
		}
		a, err := living(tx, app)
		if err != nil {
			return row{}, err
		}
		i := row{Instance: Instance{ID: id.New(), App: app, User: n.User, Name: n.Name, State: Pending, Enabled: !n.Disabled,
			CreatedAt: tx.Now(), UpdatedAt: tx.Now()}}
		if i.Name == "" {
			i.Name = a.Name.In("en")
		}
		if i.Group, err = s.placeIn(tx, n); err != nil {
			return row{}, err
		}
		token, key, err := s.keys.CreateIn(tx, access.NewKey{Face: face, Scopes: a.Scopes, Group: i.Group, User: n.User, Name: i.Name,
			Disabled: n.Disabled, Provider: a.Slug()})
		if err != nil {
			return row{}, err
		}
		i.Key = key.ID
		if i.token, err = s.tenants.SealFor(tx.Tenant(), place(i.ID, ofToken), token); err != nil {
			return row{}, err
		}
		i.owe(tx, true)
		fresh, err := insertInstance(tx, i)
		if err != nil {
			return row{}, err
		}
		if !fresh {
			return row{}, fault.New(fault.Conflict, "the app is installed in this group; change that instance, or uninstall it first").Because("instance")
		}
		if err := s.append(tx, actor, "instance.created", i.ID); err != nil {
			return row{}, err
		}
		return i, s.plan(tx, i)
	})
}

// placeIn holds the group and the agent of a new instance.
func (s *Service) placeIn(tx *store.Tx, n NewInstance) (id.ID, error) {
	group := n.Group
	if group.IsZero() {
		root, err := s.agents.RootIn(tx)
		if err != nil {
			return id.Zero, err
		}
		group = root.ID
	}
	if _, err := s.agents.HoldGroupIn(tx, group); err != nil {
		return id.Zero, err
	}
	if !n.User.IsZero() {
		if _, err := s.agents.HoldAgentIn(tx, n.User); err != nil {
			return id.Zero, err
		}
	}
	return group, nil
}

// write runs a change of an instance and returns what people see of it.
func (s *Service) write(ctx context.Context, tenant id.ID, f func(tx *store.Tx) (row, error)) (Instance, error) {
	i, err := store.Write(ctx, s.db, tenant, f)
	return i.Instance, err
}

// change is write for an instance that lives, behind its lock. f reports what to
// append to the feed; "" changes nothing.
func (s *Service) change(ctx context.Context, tenant id.ID, actor string, instance id.ID, f func(tx *store.Tx, i *row) (event string, anew bool, err error)) (Instance, error) {
	return s.write(ctx, tenant, func(tx *store.Tx) (row, error) {
		i, err := locked(tx, instance)
		if err == nil && i.State == Uninstalled {
			err = fault.Unknown("app instance")
		}
		if err != nil {
			return row{}, err
		}
		what, anew, err := f(tx, &i)
		if err != nil || what == "" {
			return i, err
		}
		i.UpdatedAt = tx.Now()
		i.owe(tx, anew)
		if err := updateInstance(tx, i); err != nil {
			return row{}, err
		}
		if err := s.append(tx, actor, what, i.ID); err != nil {
			return row{}, err
		}
		return i, s.plan(tx, i)
	})
}

// InstancePatch changes an instance; nil fields stay.
type InstancePatch struct {
	Enabled *bool   // opens or closes the key at once, on every node; the app is told by a job
	Name    *string // of the instance and its key
	User    *id.ID  // for whom it acts; zero: nobody
}

// Enable is Change of Enabled.
func (s *Service) Enable(ctx context.Context, tenant id.ID, actor string, instance id.ID, on bool) (Instance, error) {
	return s.Change(ctx, tenant, actor, instance, InstancePatch{Enabled: &on})
}

// Change changes an instance, all of it or nothing, and appends instance.enabled or
// instance.disabled when that changes, else instance.updated. Faults: NotFound, of
// "agent" too; Conflict with Reason "inactive" for the agent, "revoked" when the key
// was revoked elsewhere; Invalid of "name".
func (s *Service) Change(ctx context.Context, tenant id.ID, actor string, instance id.ID, p InstancePatch) (Instance, error) {
	return s.change(ctx, tenant, actor, instance, func(tx *store.Tx, i *row) (string, bool, error) {
		what := ""
		if p.Name != nil || p.User != nil {
			what = "instance.updated"
		}
		switched := p.Enabled != nil && *p.Enabled != i.Enabled
		if switched {
			i.Enabled = *p.Enabled
			what = "instance." + resting(i.Enabled)
			if i.State != Pending {
				i.State = resting(i.Enabled)
			}
		}
		if what == "" {
			return "", false, nil
		}
		if p.User != nil && !p.User.IsZero() {
			if _, err := s.agents.HoldAgentIn(tx, *p.User); err != nil {
				return "", false, err
			}
		}
		k, err := s.keys.EditIn(tx, i.Key, access.Edit{Name: p.Name, User: p.User, Enabled: &i.Enabled})
		if err != nil {
			return "", false, revoked(err)
		}
		i.Name, i.User = k.Name, k.User
		return what, switched, nil
	})
}

func resting(on bool) string {
	if on {
		return Enabled
	}
	return Disabled
}

// revoked explains that a key was taken away behind an instance's back.
func revoked(err error) error {
	if gone(err) {
		return fault.New(fault.Conflict, "the key of this instance was revoked; uninstall the instance and install the app again").Because("revoked")
	}
	return err
}

// Refresh makes a new key for an instance, which the app is told by a job. Until it
// confirms, the old key and the new one both open, so that the app is never locked
// out half-way; with now the old one ends at once, for a key that leaked. A refresh
// that is under way is tried again at once, with the key that it began with. An app
// that may have seen its installation takes the new key behind it; with now it is
// installed with that, unless it agrees to the old one meanwhile. Appends
// instance.refreshed. Faults: NotFound; Conflict with Reason "revoked".
func (s *Service) Refresh(ctx context.Context, tenant id.ID, actor string, instance id.ID, now bool) (Instance, error) {
	return s.change(ctx, tenant, actor, instance, func(tx *store.Tx, i *row) (_ string, _ bool, err error) {
		var token string
		switch {
		case i.State == Pending && !i.reached: // nobody has seen the first one
			if token, _, err = s.keys.RefreshIn(tx, i.Key); err != nil {
				return "", false, revoked(err)
			}
			i.token, err = s.tenants.SealFor(tx.Tenant(), place(i.ID, ofToken), token)
		case i.next == "":
			if token, err = s.keys.OfferIn(tx, i.Key); err != nil {
				return "", false, revoked(err)
			}
			i.next, err = s.tenants.SealFor(tx.Tenant(), place(i.ID, ofToken), token)
		}
		if err == nil && now {
			err = s.take(tx, i)
		}
		i.Refreshing = i.next != ""
		return "instance.refreshed", true, err
	})
}

// take ends the old key of an instance that has a new one, unless it ended before.
func (s *Service) take(tx *store.Tx, i *row) error {
	if i.next == "" {
		return nil
	}
	err := s.keys.TakeIn(tx, i.Key)
	if f := fault.As(err); f != nil && f.Code == fault.Conflict {
		return nil
	}
	return revoked(err)
}

// Uninstall ends an instance and appends instance.uninstalled: its key is revoked
// at once, the row stays, and the app is told by a job if it may know of the
// instance at all. NotFound.
func (s *Service) Uninstall(ctx context.Context, tenant id.ID, actor string, instance id.ID) (Instance, error) {
	return s.change(ctx, tenant, actor, instance, func(tx *store.Tx, i *row) (string, bool, error) {
		if err := s.keys.WithdrawIn(tx, i.Key); err != nil {
			return "", false, err
		}
		if err := s.keys.RevokeIn(tx, i.Key); err != nil {
			return "", false, err
		}
		// A new key that the app may have taken by now stays, to name the instance by.
		i.State, i.UninstalledAt, i.Refreshing = Uninstalled, tx.Now(), false
		if !i.reached {
			i.token, i.next = "", ""
		}
		return "instance.uninstalled", true, nil
	})
}

// Retry begins anew with the call that an instance owes, at once. Faults: NotFound;
// Conflict with Reason "nothing owed".
func (s *Service) Retry(ctx context.Context, tenant, instance id.ID) (Instance, error) {
	return s.write(ctx, tenant, func(tx *store.Tx) (row, error) {
		i, err := locked(tx, instance)
		if err != nil {
			return row{}, err
		}
		if i.Owes == "" {
			return row{}, fault.New(fault.Conflict, "the app has confirmed everything; there is nothing to try again").Because("nothing owed")
		}
		i.owe(tx, true)
		if err := updateInstance(tx, i); err != nil {
			return row{}, err
		}
		return i, s.plan(tx, i)
	})
}

// owed is the next call that the app must confirm.
func (i *row) owed() string {
	switch {
	case i.State == Uninstalled:
		if i.reached && i.token != "" {
			return CallUninstall
		}
		return ""
	case i.State == Pending:
		return CallInstall
	case i.next != "":
		return CallKey
	case i.told == nil || *i.told != i.Enabled:
		return CallEnabled
	}
	return ""
}

// owe notes what the app must confirm now; anew begins with fresh tries also when
// that is the call it was.
func (i *row) owe(tx *store.Tx, anew bool) {
	owed := i.owed()
	if owed == i.Owes && !anew {
		return
	}
	i.Owes, i.Tries, i.version = owed, 0, i.version+1
	i.GaveUp, i.gaveUpAt = false, time.Time{}
	if i.NextAt = tx.Now(); owed == "" {
		i.NextAt, i.LastError = time.Time{}, ""
	}
}

// plan gives the job of an instance its time: it has one exactly while something
// is owed. One that runs now sees the change by itself.
func (s *Service) plan(tx *store.Tx, i row) error {
	if err := job.WithdrawIn(tx, kindTell, i.ID.String()); err != nil {
		return err
	}
	tx.Wake(topic, i.ID.String())
	if i.Owes == "" || i.GaveUp {
		return nil
	}
	_, _, err := job.Enqueue(tx, job.New{Kind: kindTell, Args: tellArgs{i.ID}, RunAt: i.NextAt, UniqueKey: i.ID.String(), MaxAttempts: jobAttempts})
	return err
}

// Instance returns an instance, an uninstalled one too. NotFound.
func (s *Service) Instance(r store.Reader, instance id.ID) (Instance, error) {
	i, err := load(r, instance)
	return i.Instance, err
}

// maxInstances is how many instances of an app are listed.
const maxInstances = 5000

// Instances returns the instances of an app, the newest first; the uninstalled ones
// too with all. By the index app_instance_recent.
func (s *Service) Instances(r store.Reader, app id.ID, all bool) ([]Instance, error) {
	rest := "app_id=? AND state<>'uninstalled' ORDER BY created_at DESC, id DESC LIMIT ?"
	if all {
		rest = "app_id=? ORDER BY created_at DESC, id DESC LIMIT ?"
	}
	rows, err := instances(r, rest, app, maxInstances)
	out := make([]Instance, len(rows))
	for i, x := range rows {
		out[i] = x.Instance
	}
	return out, err
}

// OfKey returns the living instance that a key belongs to; found is false for keys
// of people.
func (s *Service) OfKey(r store.Reader, key id.ID) (i Instance, found bool, err error) {
	x, err := scanInstance(r.QueryRow("SELECT "+instanceColumns+" FROM app_instance WHERE tenant_id=? AND key_id=? AND state<>'uninstalled'", key))
	found, err = store.Found(err)
	return x.Instance, found, err
}

// inGroup refuses to let a group go while apps are installed in it.
func (s *Service) inGroup(r store.Reader, group id.ID) (bool, error) {
	used, err := instances(r, "group_id=? AND state<>'uninstalled' LIMIT 1", group)
	if err == nil && len(used) > 0 {
		err = fault.New(fault.Conflict, "an app is installed in the group; uninstall it first").Because("apps")
	}
	return false, err
}

// actsFor lets agents go: a key for somebody who left acts for nobody.
func (s *Service) actsFor(store.Reader, id.ID) (bool, error) { return false, nil }
