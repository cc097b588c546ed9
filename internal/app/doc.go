// Package app owns the apps that a tenant connects: what they are (App), the
// groups that they are installed in (Instance), and what they add to the product:
// reports, buttons, fields, events and notifications (reference §4.11 to §4.13).
//
// An instance is an access key in one group. What an app must hear of it (that it
// was installed, enabled or disabled, has a new key, was uninstalled) is written
// down with the change and told by a job until the app confirms it: the states
// and calls are drawn in docs/state-machines.md. An app may hear a thing twice,
// never not at all without a trace. Settings live with the app; none are kept here.
//
// Calls leave through a Caller, which the server gives. Faces call the Service.
package app
