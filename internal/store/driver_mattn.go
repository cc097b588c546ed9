//go:build mattn

package store

import (
	"net/url"
	"strings"

	_ "github.com/mattn/go-sqlite3" // registers the driver "sqlite3"
)

// Driver names the SQLite driver of this build.
const Driver = "mattn"

const driverName = "sqlite3"

func dsn(path string, kv ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return "file:" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/") + "?" + v.Encode()
}

func writeDSN(path string, unsynced bool) string {
	sync := "FULL"
	if unsynced {
		sync = "OFF"
	}
	return dsn(path, "_busy_timeout", "10000", "_journal_mode", "WAL", "_synchronous", sync, "_cache_size", "-65536")
}

func readDSN(path string) string {
	return dsn(path, "_busy_timeout", "10000", "_journal_mode", "WAL")
}
