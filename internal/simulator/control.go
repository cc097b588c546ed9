package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"parley/internal/fault"
)

// control adds the control API. It has no authentication: serve it on loopback.
func (s *Simulator) control(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/accounts", handle(func(r *http.Request, in Account) (any, error) {
		return map[string]any{"ok": true}, s.AddAccount(in)
	}))
	mux.HandleFunc("GET /_sim/accounts", handle(func(*http.Request, none) (any, error) {
		list := s.Accounts()
		for i := range list { // who may look at the phones need not know the keys
			list[i].Token, list[i].AppSecret = "", ""
		}
		return map[string]any{"accounts": list}, nil
	}))
	mux.HandleFunc("GET /_sim/inbox", handle(func(r *http.Request, _ none) (any, error) {
		to := r.URL.Query().Get("to")
		if to == "" {
			return nil, fault.Missing("to")
		}
		list, err := s.Inbox(to)
		return map[string]any{"messages": list}, err
	}))
	mux.HandleFunc("POST /_sim/reply", handle(func(r *http.Request, in Reply) (any, error) {
		return s.Reply(r.Context(), in)
	}))
	mux.HandleFunc("POST /_sim/pages", handle(func(r *http.Request, in Page) (any, error) {
		return map[string]any{"ok": true}, s.AddPage(in)
	}))
	mux.HandleFunc("GET /_sim/pages", handle(func(*http.Request, none) (any, error) {
		list := s.Pages()
		for i := range list {
			list[i].Token, list[i].AppSecret = "", ""
		}
		return map[string]any{"pages": list}, nil
	}))
	mux.HandleFunc("GET /_sim/messenger/inbox", handle(func(r *http.Request, _ none) (any, error) {
		list, err := s.PageInbox(r.URL.Query().Get("to"))
		return map[string]any{"messages": list}, err
	}))
	mux.HandleFunc("POST /_sim/messenger/reply", handle(func(r *http.Request, in PageReply) (any, error) {
		return s.PageReply(r.Context(), in)
	}))
	mux.HandleFunc("POST /_sim/messenger/block", handle(func(r *http.Request, in struct {
		Person  string `json:"person"`
		Page    string `json:"page"`
		Blocked bool   `json:"blocked"`
	}) (any, error) {
		return map[string]any{"ok": true}, s.Block(in.Person, in.Page, in.Blocked)
	}))
	mux.HandleFunc("POST /_sim/optout", handle(func(r *http.Request, in struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Resume bool   `json:"resume"`
	}) (any, error) {
		return s.OptOut(r.Context(), in.From, in.To, in.Resume)
	}))
	mux.HandleFunc("POST /_sim/templates", handle(func(r *http.Request, in struct {
		WABAID string `json:"wabaId"`
		Demo   bool   `json:"demo"` // load the templates of the demo
		Template
	}) (any, error) {
		if in.WABAID == "" {
			return nil, fault.Missing("wabaId")
		}
		if in.Demo {
			return map[string]any{"ok": true}, s.LoadDemoTemplates(in.WABAID)
		}
		return map[string]any{"ok": true}, s.PutTemplate(in.WABAID, in.Template)
	}))
	mux.HandleFunc("GET /_sim/templates", handle(func(r *http.Request, _ none) (any, error) {
		list := s.Templates(r.URL.Query().Get("wabaId"))
		if list == nil {
			list = []Template{}
		}
		return map[string]any{"templates": list}, nil
	}))
	mux.HandleFunc("POST /_sim/faults", handle(func(r *http.Request, in Fault) (any, error) {
		return map[string]any{"ok": true}, s.InjectFault(in)
	}))
	mux.HandleFunc("GET /_sim/webhooks", handle(func(r *http.Request, _ none) (any, error) {
		list := s.Webhooks()
		if v := r.URL.Query().Get("limit"); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 {
				return nil, fault.Field("limit", "limit must be a number of attempts")
			}
			list = list[len(list)-min(n, len(list)):]
		}
		if list == nil {
			list = []Attempt{}
		}
		return map[string]any{"webhooks": list}, nil
	}))
	mux.HandleFunc("POST /_sim/reset", handle(func(r *http.Request, in struct {
		Everything bool `json:"everything"` // accounts and templates too
	}) (any, error) {
		s.Reset(in.Everything)
		return map[string]any{"ok": true}, nil
	}))
	mux.HandleFunc("/_sim/", func(w http.ResponseWriter, r *http.Request) {
		complain(w, fault.Unknown("control path"))
	})
}

// none is the input of requests without a body.
type none struct{}

// handle reads the JSON body of a POST strictly, calls fn and writes its answer.
func handle[In any](fn func(*http.Request, In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if r.Method == http.MethodPost {
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			d.DisallowUnknownFields()
			if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
				complain(w, unreadable(err))
				return
			}
		}
		out, err := fn(r, in)
		if err != nil {
			complain(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

// unreadable names the field that the JSON decoder stumbled over.
func unreadable(err error) error {
	var big *http.MaxBytesError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &big):
		return fault.New(fault.TooLarge, "the body is larger than %d bytes", maxBody)
	case errors.As(err, &typed) && typed.Field != "":
		return fault.Field(typed.Field, "%s must not be a JSON %s", typed.Field, typed.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return fault.Field(name, "there is no field %s here", name)
	}
	return fault.New(fault.Invalid, "the body must be a JSON object")
}

func complain(w http.ResponseWriter, err error) {
	e := fault.As(err)
	if e == nil {
		e = fault.New(fault.Invalid, "%v", err)
	}
	status := http.StatusBadRequest
	switch e.Code {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Conflict:
		status = http.StatusConflict
	case fault.TooLarge:
		status = http.StatusRequestEntityTooLarge
	}
	writeJSON(w, status, map[string]any{"error": map[string]any{"field": e.Field, "message": e.Message}})
}
