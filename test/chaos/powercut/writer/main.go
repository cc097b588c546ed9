// Command writer commits numbered rows to a SQLite database and prints each
// number once the store says that it is on disk. The power-cut test runs it to
// prove that its file layer loses what was not synced (-unsynced) and keeps what
// was.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"

	"parley/internal/id"
	"parley/internal/store"
)

func main() {
	path := flag.String("path", "", "the SQLite file")
	unsynced := flag.Bool("unsynced", false, "commit without waiting for the disk")
	flag.Parse()
	if err := run(*path, *unsynced); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

func run(path string, unsynced bool) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Path: path, Unsynced: unsynced})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for n := 1; ; n++ {
		err := db.Write(ctx, id.Zero, func(tx *store.Tx) error {
			_, err := tx.System().Exec("INSERT INTO job_cron (name, next_at) VALUES (?,?)", fmt.Sprintf("row %06d", n), n)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, n)
		if err := out.Flush(); err != nil {
			return err
		}
	}
}
