package sales

import (
	"parley/internal/app"
)

// appWire is an app as administrators see it; never with its secrets.
type appWire struct {
	ID             string        `json:"id"`
	Developer      string        `json:"developer"`
	Key            string        `json:"key"`
	Name           app.Localized `json:"name"`
	BaseURL        string        `json:"baseUrl"`
	ClientID       string        `json:"clientId"`
	Scopes         []string      `json:"scopes"`
	Reports        []app.Report  `json:"reports"`
	Buttons        []app.Button  `json:"buttons"`
	ProspectFields []app.Field   `json:"prospectFields"`
	UserFields     []app.Field   `json:"userFields"`
	Push           bool          `json:"push"`
	Created        *string       `json:"created"`
	Updated        *string       `json:"updated"`
	// ClientSecret and PrivateKey are there once: in the answer that made them.
	ClientSecret string `json:"clientSecret,omitempty"`
	PrivateKey   string `json:"privateKey,omitempty"`
}

func appOf(a app.App, own app.Secrets) appWire {
	w := appWire{ID: a.ID.String(), Developer: a.Developer, Key: a.Key, Name: a.Name, BaseURL: a.BaseURL, ClientID: a.ClientID,
		Reports: some(a.Reports), Buttons: some(a.Buttons), ProspectFields: some(a.ProspectFields), UserFields: some(a.UserFields),
		Push: a.Push, Created: moment(a.CreatedAt), Updated: moment(a.UpdatedAt), ClientSecret: own.ClientSecret, PrivateKey: own.PrivateKey}
	for _, s := range a.Scopes {
		w.Scopes = append(w.Scopes, short(s))
	}
	w.Scopes = some(w.Scopes)
	return w
}

// some is a list that is never null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// instanceWire is an app in a group: one integration.
type instanceWire struct {
	ID            string `json:"id"`
	AppID         string `json:"appId"`
	GroupID       string `json:"groupId"`
	User          string `json:"user,omitempty"`
	IntegrationID string `json:"integrationId"`
	Name          string `json:"name"`
	State         string `json:"state"`
	Enabled       bool   `json:"enabled"`
	// Refreshing says that the app has yet to take its new key.
	Refreshing bool `json:"refreshing"`
	// PendingCall is what the app has yet to confirm.
	PendingCall string  `json:"pendingCall,omitempty"`
	Tries       int     `json:"tries"`
	NextTry     *string `json:"nextTry,omitempty"`
	GaveUp      bool    `json:"gaveUp"`
	LastError   string  `json:"lastError,omitempty"`
	Installed   *string `json:"installed,omitempty"`
	Uninstalled *string `json:"uninstalled,omitempty"`
	Created     *string `json:"created"`
	Updated     *string `json:"updated"`
}

func instanceOf(i app.Instance) instanceWire {
	w := instanceWire{ID: i.ID.String(), AppID: i.App.String(), GroupID: i.Group.String(), IntegrationID: i.Key.String(), Name: i.Name, State: i.State,
		Enabled: i.Enabled, Refreshing: i.Refreshing, PendingCall: i.Owes, Tries: i.Tries, NextTry: moment(i.NextAt), GaveUp: i.GaveUp, LastError: i.LastError,
		Installed: moment(i.InstalledAt), Uninstalled: moment(i.UninstalledAt), Created: moment(i.CreatedAt), Updated: moment(i.UpdatedAt)}
	if !i.User.IsZero() {
		w.User = i.User.String()
	}
	return w
}

// shownWire is a report or a button with the address that opens it.
type shownWire struct {
	App   string `json:"app"` // <developer>_<app>
	Key   string `json:"key"`
	Name  string `json:"name"` // in the language of the viewer's group
	Icon  string `json:"icon,omitempty"`
	URL   string `json:"url"` // signed; good as it is
	Names any    `json:"names"`
}

func shownOf(list []app.Shown) []shownWire {
	out := make([]shownWire, 0, len(list))
	for _, s := range list {
		out = append(out, shownWire{App: s.App, Key: s.Key, Name: s.Label, Icon: s.Icon, URL: s.URL, Names: s.Name})
	}
	return out
}

// appNoticeWire is a notification that an agent got.
type appNoticeWire struct {
	ID        string         `json:"id"`
	App       string         `json:"app"`
	Type      string         `json:"type"`
	Platforms map[string]any `json:"platforms"`
	Created   *string        `json:"created"`
	Seen      *string        `json:"seen,omitempty"`
}

// toldWire is an event about an agent that an app told of.
type toldWire struct {
	ID      string  `json:"id"`
	Event   string  `json:"event"`
	UserID  string  `json:"userId"`
	Details any     `json:"details"`
	Created *string `json:"created"`
}

// extraFieldWire is an additional field; App names the app that it is of.
type extraFieldWire struct {
	app.Field
	App string `json:"app,omitempty"`
}
