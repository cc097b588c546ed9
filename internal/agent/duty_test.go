package agent_test

import (
	"testing"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/tenant"
)

type reader = store.Reader

// day is a shift of a whole working day, and night one that ends the next morning.
func day(d time.Weekday) agent.Hours   { return agent.Hours{{Day: d, From: 9 * 60, To: 18 * 60}} }
func night(d time.Weekday) agent.Hours { return agent.Hours{{Day: d, From: 22 * 60, To: 6 * 60}} }

func TestHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.Parse("2006-01-02T15:04Z", text)
		if err != nil {
			t.Fatal(err)
		}
		return v.In(berlin)
	}
	sunday := func(from, to int) agent.Hours { return agent.Hours{{Day: time.Sunday, From: from, To: to}} }
	for _, c := range []struct {
		name string
		h    agent.Hours
		at   string // UTC
		want bool
	}{
		{"it begins", day(time.Monday), "2026-03-02T08:00Z", true},
		{"a minute before", day(time.Monday), "2026-03-02T07:59Z", false},
		{"the last minute", day(time.Monday), "2026-03-02T16:59Z", true},
		{"the end counts no more", day(time.Monday), "2026-03-02T17:00Z", false},
		{"another day", day(time.Monday), "2026-03-03T10:00Z", false},
		{"at night", night(time.Monday), "2026-03-02T22:00Z", true},
		{"at night, the next morning", night(time.Monday), "2026-03-03T04:59Z", true},
		{"at night, it is over", night(time.Monday), "2026-03-03T05:00Z", false},
		{"at night, the morning of the day itself", night(time.Monday), "2026-03-02T04:00Z", false},
		{"saturday night into sunday", night(time.Saturday), "2026-03-08T04:00Z", true},
		{"a whole day, its last minute", agent.Hours{{Day: time.Monday, From: 0, To: 1440}}, "2026-03-02T22:59Z", true},
		{"a whole day, over", agent.Hours{{Day: time.Monday, From: 0, To: 1440}}, "2026-03-02T23:00Z", false},
		// 2026-03-29: 02:00 becomes 03:00 at 01:00Z.
		{"before the clock goes forward", sunday(60, 240), "2026-03-29T00:59Z", true}, // 01:59
		{"after it went forward", sunday(60, 240), "2026-03-29T01:00Z", true},         // 03:00
		{"the end comes an hour earlier", sunday(60, 240), "2026-03-29T02:00Z", false},
		{"the hour that is skipped", sunday(120, 180), "2026-03-29T01:00Z", false},
		{"the day after, by summer time", day(time.Monday), "2026-03-30T07:00Z", true},
		// 2026-10-25: 03:00 becomes 02:00 at 01:00Z.
		{"the hour that comes twice, first", sunday(120, 180), "2026-10-25T00:30Z", true},
		{"the hour that comes twice, again", sunday(120, 180), "2026-10-25T01:30Z", true},
		{"after both", sunday(120, 180), "2026-10-25T02:00Z", false},
		{"a night with 25 hours", night(time.Saturday), "2026-10-25T04:59Z", true},
		{"a night with 25 hours is over", night(time.Saturday), "2026-10-25T05:00Z", false},
	} {
		if got := c.h.Contain(at(c.at)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWhoseHoursCount(t *testing.T) {
	each(t, func(w world) {
		if _, err := w.tenants.Configure(bg, w.tenant, tenant.Settings{Timezone: "America/New_York"}); err != nil {
			w.Fatal(err)
		}
		north := w.group(agent.Group{Name: "North"})
		shop := w.group(agent.Group{Name: "Shop", Parent: north.ID})
		a := w.agent(agent.Agent{Group: shop.ID})
		works := func(at string) bool {
			w.Helper()
			v, err := time.Parse(time.RFC3339, at)
			if err != nil {
				w.Fatal(err)
			}
			got, err := w.s.IsWorking(w.r(), a.ID, v)
			if err != nil {
				w.Fatal(err)
			}
			g, err := w.s.GroupIsWorking(w.r(), shop.ID, v)
			if err != nil || g != got {
				w.Errorf("the agent works: %v, the group: %v %v", got, g, err)
			}
			return got
		}
		zone := func() string {
			w.Helper()
			l, err := w.s.Location(w.r(), id.Zero, a.ID)
			if err != nil {
				w.Fatal(err)
			}
			return l.String()
		}
		if !works("2026-03-02T03:00:00Z") {
			w.Error("hours that nobody set never end")
		}
		if got := zone(); got != "America/New_York" {
			w.Errorf("the tenant's zone: %s", got)
		}
		w.edit(w.root.ID, agent.GroupPatch{Hours: ptr(day(time.Monday))})
		if works("2026-03-02T13:59:00Z") || !works("2026-03-02T14:00:00Z") { // 09:00 in New York
			w.Error("the root's hours by the tenant's clock")
		}
		w.edit(north.ID, agent.GroupPatch{Timezone: ptr("Europe/Berlin")})
		if !works("2026-03-02T08:00:00Z") || works("2026-03-02T17:00:00Z") || zone() != "Europe/Berlin" {
			w.Error("the root's hours by the clock of the nearest group above")
		}
		w.edit(shop.ID, agent.GroupPatch{Hours: ptr(day(time.Tuesday))})
		if works("2026-03-02T10:00:00Z") || !works("2026-03-03T10:00:00Z") {
			w.Error("the shop's own hours")
		}
		w.change(a.ID, agent.Patch{Timezone: ptr("Asia/Tokyo")})
		if !works("2026-03-03T00:00:00Z") || works("2026-03-03T10:00:00Z") || zone() != "Asia/Tokyo" {
			w.Error("the agent's clock")
		}
		w.change(a.ID, agent.Patch{Hours: ptr(night(time.Sunday))})
		if !works("2026-03-01T14:00:00Z") || works("2026-03-03T00:00:00Z") {
			w.Error("the agent's hours")
		}
		if open, err := w.s.IsOpen(w.r(), shop.ID, start.Add(24*time.Hour)); err != nil || !open {
			w.Error("the group's hours are its own", open, err)
		}
		w.change(a.ID, agent.Patch{Active: ptr(false)})
		if works("2026-03-01T14:00:00Z") {
			w.Error("who is not active does not work")
		}
		_, err := w.s.IsWorking(w.r(), id.New(), start)
		w.wantFault(err, fault.NotFound, "", "")
		_, err = w.s.GroupIsWorking(w.r(), id.New(), start)
		w.wantFault(err, fault.NotFound, "", "")
	})
}

func TestPresence(t *testing.T) {
	each(t, func(w world) {
		shop := w.group(agent.Group{Name: "Shop", Timezone: "UTC", Hours: day(time.Monday)})
		a, b := w.agent(agent.Agent{Group: shop.ID}), w.agent(agent.Agent{Group: shop.ID, FirstName: "Bela", Hours: day(time.Tuesday)})
		seen := func(available bool) (int, bool) {
			w.Helper()
			p, err := w.s.Online(w.r(), shop.ID, available, w.clock.Now())
			if err != nil {
				w.Fatal(err)
			}
			return len(p.Agents), p.OfficeHours
		}
		tell := func(who id.ID, p agent.Presence) agent.Agent {
			w.Helper()
			v, err := w.s.SetPresence(bg, w.tenant, actor, who, p)
			if err != nil {
				w.Fatal(err)
			}
			return v
		}
		if n, duty := seen(false); n != 0 || !duty {
			w.Error("nobody is online, and Asha is on duty", n, duty)
		}
		tell(a.ID, agent.Presence{Online: ptr(true)})
		tell(b.ID, agent.Presence{Online: ptr(true), For: time.Hour})
		if n, _ := seen(false); n != 2 {
			w.Error(n)
		}
		if n, _ := seen(true); n != 1 {
			w.Error("Bela does not work on Mondays", n)
		}
		tell(a.ID, agent.Presence{Paused: ptr(true)})
		tell(a.ID, agent.Presence{Online: ptr(true)}) // another sign of life
		if n, _ := seen(true); n != 0 {
			w.Error("who pauses is not available", n)
		}
		w.clock.Advance(agent.DefaultPresence)
		if n, _ := seen(false); n != 1 {
			w.Error("Asha has been silent", n)
		}
		tell(a.ID, agent.Presence{Online: ptr(true), Paused: ptr(false)})
		tell(a.ID, agent.Presence{Online: ptr(false)})
		want := []string{"agent.created", "agent.presence online:true", "agent.presence paused:true", "agent.presence online:true paused:false", "agent.presence online:false"}
		if got := w.events(a.ID); len(got) != len(want) {
			w.Errorf("%q", got)
		} else {
			for i := range want {
				if got[i] != want[i] {
					w.Errorf("%q", got)
				}
			}
		}
		_, err := w.s.SetPresence(bg, w.tenant, actor, a.ID, agent.Presence{For: 48 * time.Hour})
		w.wantFault(err, fault.Invalid, "for", "")
		_, err = w.s.SetPresence(bg, w.tenant, actor, id.New(), agent.Presence{})
		w.wantFault(err, fault.NotFound, "", "")
		w.change(a.ID, agent.Patch{Active: ptr(false)})
		_, err = w.s.SetPresence(bg, w.tenant, actor, a.ID, agent.Presence{Online: ptr(true)})
		w.wantFault(err, fault.Conflict, "", "inactive")
		w.clock.Advance(-agent.DefaultPresence) // the clock is shared
	})
}
