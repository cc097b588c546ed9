//go:build !mattn

package store

import (
	"net/url"
	"strings"

	"modernc.org/sqlite" // registers the driver "sqlite"
)

// Driver names the SQLite driver of this build.
const Driver = "modernc"

const driverName = "sqlite"

var _ = sqlite.ErrorCodeString

func dsn(path string, pragmas ...string) string {
	v := url.Values{}
	for _, p := range pragmas {
		v.Add("_pragma", p)
	}
	return "file:" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/") + "?" + v.Encode()
}

func writeDSN(path string, unsynced bool) string {
	sync := "synchronous(FULL)"
	if unsynced {
		sync = "synchronous(OFF)"
	}
	return dsn(path, "busy_timeout(10000)", "journal_mode(WAL)", sync, "foreign_keys(OFF)",
		"wal_autocheckpoint(4000)", "cache_size(-65536)", "temp_store(MEMORY)")
}

func readDSN(path string) string {
	// Reading through a memory map saves a system call a page: measured 1.7 times
	// the point reads (docs/decisions/0002-sqlite-and-postgres.md).
	return dsn(path, "busy_timeout(10000)", "journal_mode(WAL)", "mmap_size(2147418112)", "cache_size(-8192)", "temp_store(MEMORY)")
}
