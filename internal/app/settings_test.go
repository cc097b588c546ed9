package app_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"parley/internal/app"
	"parley/internal/fault"
)

const form = `{"title":"T","unknown":1,"sections":[
 {"name":"main","title":"Main","inputs":[
  {"name":"automaticReplyEnabled","type":"checkbox","label":"Reply"},
  {"name":"text","type":"text","hiddenWhere":{"automaticReplyEnabled":false}},
  {"name":"delay","type":"number"},
  {"name":"mail","type":"email"},
  {"name":"kind","type":"select"},
  {"name":"locked","type":"text","disabled":true}]},
 {"name":"more","disabledWhere":{"delay":{"$gte":60}},"inputs":[{"name":"days","type":"multiselect"}]}],
 "validations":[
  {"where":{"delay":{"$gt":10}},"changes":[{"name":"delay","warning":"slow"},{"name":"more","hint":"Why?"}]},
  {"where":{"delay":{"$gt":10}},"changes":[{"name":"delay","error":"too slow"}]},
  {"where":{"delay":{"$in":[11,12]}},"changes":[{"name":"delay","error":"","customProps":{"step":2}}]},
  {"where":{"text":{"$regex":"^bad"}},"changes":[{"name":"text","error":"no bad words"}]},
  {"where":{"mail":{"$exists":true},"kind":{"$nin":["a","b"]}},"changes":[{"name":"mail","hint":"choose a kind"}]}]}`

func TestSettingsLiveWithTheApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pending := w.install(app.NewInstance{Group: w.other.ID})
		if _, err := w.s.Settings(bg, w.tenant, pending.ID); !errors.Is(err, fault.Of(fault.Unready)) {
			t.Errorf("settings of what is not installed: %v", err)
		}
		w.work()
		i := w.installed()
		w.backend.Form = form
		w.backend.Settings = map[string]any{"automaticReplyEnabled": true, "delay": 5, "secretOfTheApp": "x"}
		puts := func() (n int) {
			for _, c := range w.backend.Seen() {
				if c == "PUT /settings" {
					n++
				}
			}
			return n
		}
		got, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, map[string]any{"automaticReplyEnabled": true, "delay": 7.0, "text": "hello"})
		if err != nil || !reflect.DeepEqual(got, map[string]any{"automaticReplyEnabled": true, "delay": 7.0, "text": "hello", "secretOfTheApp": "x"}) {
			t.Errorf("%v, %v", got, err)
		}
		if c := w.backend.Last("/settings"); !reflect.DeepEqual(c.Body, map[string]any{"delay": 7.0, "text": "hello"}) {
			t.Errorf("sent %v: only what differs is", c.Body)
		}
		if n := puts(); n != 1 {
			t.Errorf("%d puts", n)
		}
		if _, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, map[string]any{"delay": 7}); err != nil || puts() != 1 {
			t.Errorf("what is so already: %v, %d puts", err, puts())
		}
		for field, changes := range map[string]map[string]any{
			"delay":  {"delay": 60.0},
			"text":   {"text": "badly"},
			"nobody": {"nobody": 1},
			"locked": {"locked": "x"},
			"mail":   {"mail": "no address"},
			"kind":   {"kind": 1},
			"days":   {"days": "mon"},
		} {
			_, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, changes)
			if f := fault.As(err); f == nil || f.Code != fault.Invalid || f.Field != field {
				t.Errorf("%v: %v", changes, err)
			}
		}
		if _, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, map[string]any{"automaticReplyEnabled": false, "text": "x"}); fault.As(err) == nil || fault.As(err).Field != "text" {
			t.Errorf("a hidden input: %v", err)
		}
		if puts() != 1 {
			t.Error("something refused was sent")
		}
		// A later validation takes the error of an earlier one back.
		if _, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, map[string]any{"delay": 11.0}); err != nil {
			t.Error(err)
		}
		f, err := w.s.Checked(bg, w.tenant, i.ID, map[string]any{"delay": 99.0, "automaticReplyEnabled": false, "mail": "a@b.example"})
		if err != nil {
			t.Fatal(err)
		}
		main, more := f.Sections[0], f.Sections[1]
		if !main.Inputs[1].Hidden || main.Inputs[2].Error != "too slow" || main.Inputs[2].Warning != "slow" || !more.Disabled || more.Hint != "Why?" || main.Inputs[3].Hint != "choose a kind" {
			t.Errorf("%+v", f)
		}
		if raw, err := w.s.Form(bg, w.tenant, i.ID); err != nil || raw.Sections[0].Inputs[2].Error != "" || raw.Title != "T" {
			t.Errorf("%+v, %v", raw, err)
		}
	})
}

// Whatever an app answers, a person is told in a sentence, and nothing is stored.
func TestAnAppThatAnswersGarbage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work()
		i := w.installed()
		for name, answer := range map[string]string{"no JSON": "<html>", "null": "null", "a list": "[1]", "no sections": `{"title":"x"}`,
			"wrong types": `{"sections":"all"}`, "endless": strings.Repeat("x", 200<<10), "a bad condition": `{"sections":[{"inputs":[],"hiddenWhere":{"a":{"$what":1}}}]}`} {
			w.backend.Say(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.URL.Path == "/settings" && !strings.HasPrefix(name, "a bad") {
					_, _ = rw.Write([]byte(answer))
				} else if r.URL.Path == "/settings/form" {
					_, _ = rw.Write([]byte(answer))
				} else {
					return false
				}
				return true
			})
			_, err := w.s.SetSettings(bg, w.tenant, actor, i.ID, map[string]any{"text": "x"})
			if f := fault.As(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Message, "app") {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.backend.Fail(http.StatusMovedPermanently)
		if _, err := w.s.Settings(bg, w.tenant, i.ID); !errors.Is(err, fault.Of(fault.Unavailable)) {
			t.Errorf("a redirect: %v", err)
		}
		w.backend.Server.CloseClientConnections()
		w.backend.Server.Listener.Close()
		if _, err := w.s.Settings(bg, w.tenant, i.ID); !errors.Is(err, fault.Of(fault.Unavailable)) || strings.Contains(err.Error(), "api-key") {
			t.Errorf("an app that is away: %v", err)
		}
	})
}
