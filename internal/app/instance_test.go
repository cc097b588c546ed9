package app_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/app"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/job/jobtest"
	"parley/internal/store"
)

func TestAnAppLivesFromInstallToUninstall(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		i := w.installed()
		if i.State != app.Enabled || i.InstalledAt.IsZero() || i.LastError != "" {
			t.Errorf("%+v", i)
		}
		key, on := w.backend.Key()
		if !on || !w.opens(key) {
			t.Fatalf("the app has %.14q, enabled %v", key, on)
		}
		k, err := w.keys.Authenticate(bg, "sales", key)
		if err != nil || k.ID != i.Key || k.Group != w.shop.ID || !slices.Equal(k.Scopes, []string{"sales:leads:write"}) || k.Provider != "acme_calendar" {
			t.Errorf("%+v, %v", k, err)
		}
		c := w.backend.Last("/install")
		in, _ := c.Body["integration"].(map[string]any)
		if c.Method != "POST" || c.Body["appId"] != "cal" || c.Body["appSecret"] != "s3cret" || in["apiKey"] != key || in["enabled"] != true || len(c.Body) != 3 {
			t.Errorf("%+v", c)
		}

		if _, err := w.s.Enable(bg, w.tenant, actor, i.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := w.keys.Authenticate(bg, "sales", key); !errors.Is(err, fault.Of(fault.Forbidden)) {
			t.Errorf("a disabled app: %v", err)
		}
		if i = w.settled(i.ID); i.State != app.Disabled {
			t.Errorf("%+v", i)
		}
		if _, on := w.backend.Key(); on {
			t.Error("the app was not told that it is disabled")
		}
		if _, err := w.s.Enable(bg, w.tenant, actor, i.ID, true); err != nil {
			t.Fatal(err)
		}
		w.settled(i.ID)
		if _, on := w.backend.Key(); !on || !w.opens(key) {
			t.Error("the app was not told that it is enabled")
		}

		if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil {
			t.Fatal(err)
		}
		w.settled(i.ID)
		fresh, on := w.backend.Key()
		if fresh == key || !on || !w.opens(fresh) || w.opens(key) {
			t.Errorf("the key was not refreshed: %v %v %v", fresh == key, w.opens(fresh), w.opens(key))
		}

		if _, err := w.s.Uninstall(bg, w.tenant, actor, i.ID); err != nil {
			t.Fatal(err)
		}
		if w.opens(fresh) {
			t.Error("the key of an uninstalled app opens")
		}
		if i = w.settled(i.ID); i.State != app.Uninstalled || i.UninstalledAt.IsZero() {
			t.Errorf("%+v", i)
		}
		if key, _ := w.backend.Key(); key != "" {
			t.Error("the app was not told that it is uninstalled")
		}
		for what, err := range map[string]error{
			"enable":    second(w.s.Enable(bg, w.tenant, actor, i.ID, true)),
			"refresh":   second(w.s.Refresh(bg, w.tenant, actor, i.ID, false)),
			"uninstall": second(w.s.Uninstall(bg, w.tenant, actor, i.ID)),
			"settings":  second(w.s.Settings(bg, w.tenant, i.ID)),
		} {
			if !errors.Is(err, fault.Of(fault.NotFound)) {
				t.Errorf("%s after the end: %v", what, err)
			}
		}
		if again := w.installed(); again.ID == i.ID || again.State != app.Enabled {
			t.Errorf("installed again: %+v", again)
		}
		if n := w.jobs(); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// What an app has not confirmed stays pending and is tried again, with pauses that
// grow; what it was told is the same each time.
func TestAnAppThatIsDownIsToldWhenItComesBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		w.backend.Fail(http.StatusBadGateway)
		i := w.install(app.NewInstance{})
		for n := 1; n <= 3; n++ {
			got := w.failed(i.ID, n)
			if got.State != app.Pending || got.LastError != "the app answered with status 502" || got.GaveUp {
				t.Errorf("%+v", got)
			}
			pauses := app.Policies[app.CallInstall].Pauses
			if want := w.clock.Now().Add(pauses[n-1]); !got.NextAt.Equal(want) {
				t.Errorf("try %d: next at %v, want %v", n, got.NextAt, want)
			}
			if n == 3 {
				w.backend.Fail(0)
			}
			w.clock.Advance(pauses[n-1])
		}
		if got := w.settled(i.ID); got.State != app.Enabled || got.Tries != 0 || got.LastError != "" {
			t.Errorf("%+v", got)
		}
		w.backend.Lock()
		defer w.backend.Unlock()
		if len(w.backend.Calls) != 4 {
			t.Errorf("%d calls", len(w.backend.Calls))
		}
		for _, c := range w.backend.Calls {
			if c.Key != w.backend.Calls[0].Key || c.Name != w.backend.Calls[0].Name || c.Name == "" {
				t.Errorf("the tries differ: %+v", c)
			}
		}
	})
}

func TestTriesEndAndBeginAnew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := app.Policies[app.CallInstall]
		short := p
		short.Attempts, short.Pauses = 2, []time.Duration{time.Second}
		app.Policies[app.CallInstall] = short
		defer func() { app.Policies[app.CallInstall] = p }()
		stop := w.work()
		defer stop()
		w.backend.Fail(http.StatusInternalServerError)
		i := w.install(app.NewInstance{})
		w.failed(i.ID, 1)
		w.clock.Advance(time.Second)
		if got := w.failed(i.ID, 2); !got.GaveUp || !got.NextAt.IsZero() || got.State != app.Pending || w.jobs() != 0 {
			t.Errorf("%+v with %d jobs", got, w.jobs())
		}
		w.backend.Fail(0)
		if got, err := w.s.Retry(bg, w.tenant, i.ID); err != nil || got.GaveUp {
			t.Fatalf("%+v, %v", got, err)
		}
		if got := w.settled(i.ID); got.State != app.Enabled {
			t.Errorf("%+v", got)
		}
		if _, err := w.s.Retry(bg, w.tenant, i.ID); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("retrying nothing: %v", err)
		}
	})
}

// An app that is silent holds nobody: its try fails when its time is over.
func TestASlowAppFailsItsTry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := app.Policies[app.CallInstall]
		quick := p
		quick.Timeout = 50 * time.Millisecond
		app.Policies[app.CallInstall] = quick
		defer func() { app.Policies[app.CallInstall] = p }()
		hold := make(chan struct{})
		w.backend.Say(func(http.ResponseWriter, *http.Request, []byte) bool { <-hold; return true })
		stop := w.work()
		defer stop()
		i := w.install(app.NewInstance{})
		if got := w.failed(i.ID, 1); got.LastError != "the app did not answer within 50ms" || got.State != app.Pending {
			t.Errorf("%+v", got)
		}
		close(hold)
	})
}

// The address that may not be called is not tried again until the app is changed.
func TestAForbiddenAddressIsGivenUpAndAChangeTriesAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		bad, good := "http://10.0.0.1:1/x", w.backend.URL+"/"
		if _, _, err := w.s.Update(bg, w.tenant, actor, w.app.ID, app.Patch{BaseURL: &bad}); err != nil {
			t.Fatal(err)
		}
		i := w.install(app.NewInstance{})
		w.until("given up", func() bool { return w.get(i.ID).GaveUp })
		if got := w.get(i.ID); strings.Contains(got.LastError, "api-key") || got.LastError == "" {
			t.Errorf("%+v", got)
		}
		if _, _, err := w.s.Update(bg, w.tenant, actor, w.app.ID, app.Patch{BaseURL: &good}); err != nil {
			t.Fatal(err)
		}
		if got := w.settled(i.ID); got.State != app.Enabled {
			t.Errorf("%+v", got)
		}
	})
}

// The process dies between the intent and the answer: the job is rescued and the
// call made again. The intent is on disk before the call leaves.
func TestAKillBetweenIntentAndAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		reached, hold := make(chan struct{}, 10), make(chan struct{})
		w.backend.Say(func(http.ResponseWriter, *http.Request, []byte) bool { reached <- struct{}{}; <-hold; return false })
		i := w.install(app.NewInstance{})
		stop := w.work()
		<-reached
		var attempt int
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT attempt FROM app_instance WHERE tenant_id=? AND id=? AND reached", i.ID).Scan(&attempt); err != nil || attempt != 1 {
			t.Fatalf("the intent is not on disk: %d, %v", attempt, err)
		}
		stop() // the call is cut off; nothing of its outcome is recorded
		close(hold)
		w.backend.Say(nil)
		if got := w.get(i.ID); got.State != app.Pending || got.Tries != 0 || w.jobs() != 1 {
			t.Fatalf("%+v with %d jobs", got, w.jobs())
		}
		w.work()
		if got := w.settled(i.ID); got.State != app.Enabled {
			t.Errorf("%+v", got)
		}
		if n := len(w.backend.Seen()); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

// A refresh whose answer got lost leaves nobody locked out: both keys open, and the
// next tries name the one and the other, whichever the app knows.
func TestARefreshHalfwayLocksNobodyOut(t *testing.T) {
	for _, took := range []bool{true, false} {
		t.Run(fmt.Sprintf("took=%v", took), func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				w.work()
				i := w.installed()
				old, _ := w.backend.Key()
				first := true
				w.backend.Say(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
					if r.URL.Path != "/api-key" || !first {
						return false
					}
					first = false
					if took {
						next := strings.Split(string(body), `"`)[3]
						w.backend.Lock()
						w.backend.Keys = map[string]bool{next: true}
						w.backend.Unlock()
					}
					rw.WriteHeader(http.StatusGatewayTimeout) // the answer got lost
					return true
				})
				if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil {
					t.Fatal(err)
				}
				w.failed(i.ID, 1)
				has, _ := w.backend.Key()
				if took == (has == old) || !w.opens(has) || !w.opens(old) {
					t.Errorf("the app is locked out: has the old one %v, opens %v and %v", has == old, w.opens(has), w.opens(old))
				}
				for n := 1; w.get(i.ID).Owes != "" && n < 5; n++ {
					w.clock.Advance(app.Policies[app.CallKey].Pauses[n-1])
					w.until("tried again", func() bool { g := w.get(i.ID); return g.Owes == "" || g.Tries > n })
				}
				now, _ := w.backend.Key()
				if got := w.settled(i.ID); got.Refreshing || now == old || !w.opens(now) || w.opens(old) {
					t.Errorf("%+v: %v %v %v", got, now == old, w.opens(now), w.opens(old))
				}
			})
		})
	}
}

// An app that took a new key without anybody learning of it is uninstalled all the
// same, whether it says 401 or 404 of a key that it does not know.
func TestUninstallReachesAnAppWhoseKeyIsUnknown(t *testing.T) {
	for _, took := range []bool{true, false} {
		for _, status := range []int{401, 404, 410} {
			t.Run(fmt.Sprintf("took=%v, %d", took, status), func(t *testing.T) {
				each(t, func(t *testing.T, w *world) {
					w.work()
					i := w.installed()
					w.backend.Say(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
						w.backend.Lock()
						defer w.backend.Unlock()
						switch _, known := w.backend.Keys[r.URL.Query().Get("api-key")]; {
						case r.URL.Path == "/api-key":
							if next := strings.Split(string(body), `"`)[3]; took {
								w.backend.Keys = map[string]bool{next: true}
							}
							rw.WriteHeader(http.StatusGatewayTimeout) // the answer got lost
						case known:
							return false
						default:
							rw.WriteHeader(status)
						}
						return true
					})
					if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil {
						t.Fatal(err)
					}
					w.failed(i.ID, 1)
					if _, err := w.s.Uninstall(bg, w.tenant, actor, i.ID); err != nil {
						t.Fatal(err)
					}
					w.until("uninstalled", func() bool {
						jobtest.Pace(w, w.db, w.clock, time.Second)
						g := w.get(i.ID)
						return g.Owes == "" || g.Tries > 3
					})
					if got := w.get(i.ID); got.Owes != "" || got.Refreshing || got.State != app.Uninstalled {
						t.Errorf("%+v", got)
					}
					if key, _ := w.backend.Key(); key != "" {
						t.Error("the app still has a key")
					}
				})
			})
		}
	}
}

// A key that leaked ends at once; the app learns the new one in any case.
func TestARefreshNowEndsTheOldKeyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		stop := w.work()
		i := w.installed()
		old, _ := w.backend.Key()
		stop()
		for range 2 { // asking twice keeps the key that the app is being told
			if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, true); err != nil {
				t.Fatal(err)
			}
			if w.opens(old) {
				t.Error("the old key opens")
			}
		}
		w.work()
		w.settled(i.ID)
		if now, _ := w.backend.Key(); now == old || !w.opens(now) {
			t.Error("the app did not learn the new key")
		}
	})
}

// An app that nobody has called yet is installed with the new key; one that is being
// called takes it behind its installation.
func TestARefreshBeforeTheInstallation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		i := w.install(app.NewInstance{})
		if got, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil || got.Refreshing {
			t.Fatalf("%+v, %v", got, err)
		}
		stop := w.work()
		w.settled(i.ID)
		if now, _ := w.backend.Key(); !w.opens(now) || len(w.backend.Seen()) != 1 {
			t.Errorf("the app has no key that opens, after %v", w.backend.Seen())
		}
		stop()

		reached, hold := make(chan struct{}, 10), make(chan struct{})
		var once sync.Once
		w.backend.Say(func(http.ResponseWriter, *http.Request, []byte) bool {
			once.Do(func() { reached <- struct{}{}; <-hold }) // the call is under way meanwhile
			return false
		})
		w.work()
		i = w.install(app.NewInstance{Group: w.other.ID})
		<-reached
		if got, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil || !got.Refreshing {
			t.Fatalf("%+v, %v", got, err)
		}
		close(hold)
		w.settled(i.ID)
		w.knows(2)
	})
}

// A key that leaked before an app could be installed is not what it is installed
// with: apps look whether their key opens before they agree. One that agreed with
// the old key meanwhile is told the new one.
func TestARefreshNowBeforeTheInstallation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var down atomic.Bool
		down.Store(true)
		w.backend.Say(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
			switch {
			case r.URL.Path != "/install":
				return false
			case down.Load():
				rw.WriteHeader(http.StatusBadGateway)
			case !w.opens(r.URL.Query().Get("api-key")):
				rw.WriteHeader(http.StatusUnauthorized)
			default:
				return false
			}
			return true
		})
		stop := w.work()
		i := w.install(app.NewInstance{})
		w.failed(i.ID, 1)
		down.Store(false)
		if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, true); err != nil {
			t.Fatal(err)
		}
		w.until("installed", func() bool {
			g := w.get(i.ID)
			return g.Owes == "" || g.Tries > 0
		})
		if got := w.get(i.ID); got.Owes != "" || got.State != app.Enabled || got.Refreshing {
			t.Fatalf("%+v", got)
		}
		if now, _ := w.backend.Key(); !w.opens(now) {
			t.Error("the app has no key that opens")
		}
		stop()

		reached, hold := make(chan struct{}, 10), make(chan struct{})
		var once sync.Once
		w.backend.Say(func(http.ResponseWriter, *http.Request, []byte) bool {
			once.Do(func() { reached <- struct{}{}; <-hold }) // it looked at its key before it ended
			return false
		})
		w.work()
		i = w.install(app.NewInstance{Group: w.other.ID})
		<-reached
		if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, true); err != nil {
			t.Fatal(err)
		}
		close(hold)
		w.settled(i.ID)
		w.knows(2)
	})
}

// Only {"success": true} confirms the end; an app that does not know the instance
// has nothing to end. What never reached the app needs no end.
func TestUninstallMustBeConfirmed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		stop := w.work()
		i := w.installed()
		w.backend.Say(func(rw http.ResponseWriter, _ *http.Request, _ []byte) bool {
			_, _ = rw.Write([]byte("<html>bye"))
			return true
		})
		if _, err := w.s.Uninstall(bg, w.tenant, actor, i.ID); err != nil {
			t.Fatal(err)
		}
		if got := w.failed(i.ID, 1); got.State != app.Uninstalled || got.LastError != `the app did not answer {"success": true}` {
			t.Errorf("%+v", got)
		}
		w.backend.Fail(http.StatusGone)
		w.clock.Advance(app.Policies[app.CallUninstall].Pauses[0])
		w.settled(i.ID)

		stop()
		w.backend.Fail(0)
		calls := len(w.backend.Seen())
		never := w.install(app.NewInstance{})
		if got, err := w.s.Uninstall(bg, w.tenant, actor, never.ID); err != nil || got.Owes != "" || w.jobs() != 0 {
			t.Errorf("%+v, %v with %d jobs", got, err, w.jobs())
		}
		if len(w.backend.Seen()) != calls {
			t.Error("the app heard of an instance that never was")
		}
	})
}

func TestOneInstanceInAGroup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.install(app.NewInstance{})
		w.install(app.NewInstance{Group: w.other.ID, Disabled: true})
		if _, err := w.s.Install(bg, w.tenant, actor, w.app.ID, app.NewInstance{Group: w.shop.ID}); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("a second one: %v", err)
		}
		for what, n := range map[string]app.NewInstance{"group": {Group: id.New()}, "agent": {Group: w.shop.ID, User: id.New()}} {
			if _, err := w.s.Install(bg, w.tenant, actor, w.app.ID, n); !errors.Is(err, fault.Of(fault.NotFound)) {
				t.Errorf("unknown %s: %v", what, err)
			}
		}
		if _, err := w.s.Delete(bg, w.tenant, actor, w.app.ID); !errors.Is(err, fault.Of(fault.Conflict)) {
			t.Errorf("deleting an installed app: %v", err)
		}
		if _, err := w.agents.DeleteGroup(bg, w.tenant, actor, w.shop.ID); !errors.Is(err, fault.Of(fault.Conflict)) || !strings.Contains(err.Error(), "app") {
			t.Errorf("deleting the group of an app: %v", err)
		}
		if list, err := w.s.Instances(w.s.Reads(bg, id.New()), w.app.ID, true); err != nil || len(list) != 0 {
			t.Errorf("another tenant sees %v, %v", list, err)
		}
	})
}

// Whatever people do at once, in the end the app believes what is true.
func TestEverybodyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		var flaky sync.Mutex
		rng := rand.New(rand.NewPCG(1, 2))
		w.backend.Say(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
			flaky.Lock()
			bad := rng.IntN(3) == 0
			flaky.Unlock()
			if bad {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			return bad
		})
		i := w.install(app.NewInstance{})
		stop := make(chan struct{})
		var ticking sync.WaitGroup
		ticking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					jobtest.Pace(t, w.db, w.clock, time.Hour)
				}
			}
		})
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for k := range 6 {
					var err error
					if (n+k)%4 == 3 {
						_, err = w.s.Refresh(bg, w.tenant, actor, i.ID, k%2 == 0)
					} else {
						_, err = w.s.Enable(bg, w.tenant, actor, i.ID, (n+k)%2 == 0)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		got := w.settled(i.ID)
		key, on := w.backend.Key()
		if _, err := w.keys.Authenticate(bg, "sales", key); on != got.Enabled || (err == nil) != on || errors.Is(err, fault.Of(fault.Unauthorized)) {
			t.Errorf("%+v, but the app believes %v, and its key: %v", got, on, err)
		}
		var ended sync.WaitGroup
		var first, late int
		var count sync.Mutex
		for range 3 {
			ended.Go(func() {
				_, err := w.s.Uninstall(bg, w.tenant, actor, i.ID)
				count.Lock()
				defer count.Unlock()
				if err == nil {
					first++
				} else if errors.Is(err, fault.Of(fault.NotFound)) {
					late++
				}
			})
		}
		ended.Wait()
		if w.settled(i.ID); first != 1 || late != 2 {
			t.Errorf("uninstalled %d times, too late %d times", first, late)
		}
		close(stop)
		ticking.Wait()
		if key, _ := w.backend.Key(); key != "" {
			t.Error("the app still has a key")
		}
	})
}

// A job that a person ends is not forgotten: the call is given up, and can be
// retried.
func TestACancelledJobIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		i := w.install(app.NewInstance{})
		r := job.NewRunner(w.db, job.Options{Node: "n"})
		w.s.RegisterJobs(r)
		var jid id.ID
		if err := w.db.Read(bg, w.tenant).QueryRow("SELECT id FROM job WHERE tenant_id=? AND kind='app.tell'").Scan(&jid); err != nil {
			t.Fatal(err)
		}
		if _, err := job.NewConsole(w.db, r).Cancel(bg, w.tenant, jid); err != nil {
			t.Fatal(err)
		}
		if got := w.get(i.ID); !got.GaveUp || got.LastError != job.ErrCancelled.Error() {
			t.Errorf("%+v", got)
		}
		if _, err := w.s.Retry(bg, w.tenant, i.ID); err != nil || w.jobs() != 1 {
			t.Errorf("%v with %d jobs", err, w.jobs())
		}
	})
}

// Nothing of an app is stored in the clear.
func TestSecretsAreSealed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		i := w.installed()
		if _, err := w.s.Refresh(bg, w.tenant, actor, i.ID, false); err != nil {
			t.Fatal(err)
		}
		key, _ := w.backend.Key()
		var all strings.Builder
		for _, table := range []string{"app", "app_instance", "access_key", "job", "event"} {
			var columns string
			query := "SELECT COALESCE(GROUP_CONCAT(" + columnsOf(w, table) + ", '|'), '') FROM " + table
			if w.db.Dialect() == store.Postgres {
				query = "SELECT COALESCE(STRING_AGG(t::text, '|'), '') FROM " + table + " t"
			}
			if err := w.db.Read(bg, w.tenant).All().QueryRow(query).Scan(&columns); err != nil {
				t.Fatal(table, err)
			}
			all.WriteString(columns)
		}
		if text := all.String(); strings.Contains(text, w.own.PrivateKey) || strings.Contains(text, "s3cret") || strings.Contains(text, key) || len(text) < 500 {
			t.Error("a secret is stored as it is")
		}
	})
}

func columnsOf(w *world, table string) string {
	return map[string]string{"app": "client_secret||private_key||name||client_id", "app_instance": "token||next_token||last_error||name", "access_key": "hash||name",
		"job": "args||COALESCE(last_error,'')||COALESCE(unique_key,'')", "event": "changed||type"}[table]
}
