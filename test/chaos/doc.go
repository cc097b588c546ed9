// Package chaos proves the guarantees of docs/guarantees.md on the real binary:
// it is killed and loses its power under mixed load, is backed up and restored,
// and every published invariant is broken once to see `parley verify` name it.
// It holds tests only; nothing imports it.
//
// What a client was told (a 2xx answer) is written into a journal in the test
// process, which no kill touches; at the end the server is asked for all of it.
// The outside world, a simulated Meta with its phones, lives in the test process
// too, so that it remembers what it received whatever happens to the server.
//
// PARLEY_SOAK=1 runs the full counts and adds a line to docs/soak.md.
// PARLEY_SEED repeats the random choices of a run, PARLEY_KILLS sets its number
// of kills, PARLEY_KEEP names a folder that gets the data of a failed one.
package chaos
