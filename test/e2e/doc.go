// Package e2e holds the tests that use Parley as people do: they build the real
// program once, run its commands and servers as processes, call its API over
// HTTP and listen with the published JavaScript client. Nothing imports it.
package e2e
