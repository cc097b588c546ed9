// Package targetingclient holds the test that drives a whole server with the
// published runtime of the targeting API's vendor client, openapi-client-axios, in the
// version that package-lock.json pins. testdata/definition.json is the contract of
// seed 002 without its texts: its paths, parameters and schemas. Nothing imports it.
package targetingclient
