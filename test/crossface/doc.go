// Package crossface proves that there is one contact per person: what one API
// writes, every other API reads. The facts are a table (facts.go) of ways to write
// and ways to read; every way to write is tried against every way to read, over
// real HTTP, on both databases. docs/crossface.md is written from the same table:
//
//	go test ./test/crossface -run TestTheTableIsPublished -update
package crossface
