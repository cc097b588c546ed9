package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"parley/internal/config"
	"parley/internal/face/admin"
	"parley/internal/server"
	"parley/internal/verify"
)

type verifyCmd struct {
	config.Database `embed:""`
	JSON            bool `help:"Print the report as JSON." name:"json"`
}

// Help stands below the flags.
func (verifyCmd) Help() string {
	return "Examples:\n  parley verify\n  parley verify --json --database postgres://parley@db/parley\n\nThe invariants are described in docs/guarantees.md. Any that is broken is named, and the command fails."
}

// Run verifies.
func (c *verifyCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var rep verify.Report
		if err := cl.call(ctx, "GET", "/parley/v1/verify", nil, &rep); err != nil {
			return err
		}
		if c.JSON {
			if err := printJSON(rep); err != nil {
				return err
			}
		} else {
			for _, b := range rep.Breaks {
				fmt.Printf("%-22s tenant %s row %s: %s\n", b.Invariant, b.Tenant, b.Row, b.Detail)
			}
			if rep.OK {
				fmt.Printf("all %d invariants hold\n", rep.Checked)
			}
		}
		if !rep.OK {
			return fmt.Errorf("broken: %s", strings.Join(rep.Broken, ", "))
		}
		return nil
	})
}

type backupCmd struct {
	config.Database `embed:""`
	File            string `arg:"" help:"New file to write." type:"path"`
}

// Help stands below the flags.
func (backupCmd) Help() string {
	return "Example:\n  parley backup /backups/parley-monday.db\n\nWorks while the server runs. The key that seals secrets (secret.key in the data folder) is not part of it: keep a copy of that too."
}

// Run backs up.
func (c *backupCmd) Run() error {
	file, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	return with(c.Database, func(ctx context.Context, cl *client) error {
		if err := cl.call(ctx, "POST", "/parley/v1/backup", map[string]string{"file": file}, nil); err != nil {
			return err
		}
		fmt.Println("backed up to " + file)
		return nil
	})
}

type restoreCmd struct {
	config.Database `embed:""`
	File            string `arg:"" help:"Backup to restore." type:"existingfile"`
}

// Help stands below the flags.
func (restoreCmd) Help() string {
	return "Example:\n  parley restore /backups/parley-monday.db\n\nA running server finishes its requests, changes over and is ready again. The backup is verified first;\nthe former database is kept as parley.db.before-restore."
}

// Run restores: through the running server, or by hand when none runs.
func (c *restoreCmd) Run() error {
	file, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	if c.Database.Database != "" {
		return server.Restore(ctx, c.Database, file) // refuses
	}
	if cl := dial(c.Data); cl != nil {
		defer cl.close()
		err = cl.call(ctx, "POST", "/parley/v1/restore", map[string]string{"file": file}, nil)
	} else {
		var lock *server.Lock
		if lock, err = server.TakeLock(c.Data); errors.Is(err, server.ErrLocked) {
			return fmt.Errorf("a server holds the data folder %s but does not answer; is it still starting?", c.Data)
		} else if err != nil {
			return err
		}
		defer lock.Release()
		err = server.Restore(ctx, c.Database, file)
	}
	if err != nil {
		return err
	}
	fmt.Println("restored " + file)
	return nil
}

type doctorCmd struct {
	config.Database `embed:""`
	JSON            bool `help:"Print the findings as JSON." name:"json"`
}

// Help stands below the flags.
func (doctorCmd) Help() string { return "Example:\n  parley doctor --data ./data" }

// Run looks at the server or the database and tells what it finds.
func (c *doctorCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		var s admin.Status
		if err := cl.call(ctx, "GET", "/parley/v1/status", nil, &s); err != nil {
			return err
		}
		if s.Schema < s.SchemaWant {
			s.Problems = append(s.Problems, fmt.Sprintf("the schema is at step %d of %d: run `parley migrate`", s.Schema, s.SchemaWant))
		}
		if s.Schema > s.SchemaWant {
			s.Problems = append(s.Problems, "the database belongs to a newer Parley: upgrade this program")
		}
		var rep verify.Report
		if err := cl.call(ctx, "GET", "/parley/v1/verify", nil, &rep); err != nil {
			s.Problems = append(s.Problems, "the data could not be verified: "+err.Error())
		} else if !rep.OK {
			s.Problems = append(s.Problems, "invariants are broken: "+strings.Join(rep.Broken, ", ")+" (see `parley verify`)")
		}
		if c.JSON {
			if err := printJSON(s); err != nil {
				return err
			}
		} else {
			running := "no server runs on this data folder"
			if c.Database.Database != "" {
				running = "not asked: --database was looked at directly"
			}
			if cl.live {
				running = fmt.Sprintf("running at %s since %d s, roles %s", s.URL, s.UptimeSeconds, strings.Join(s.Roles, ", "))
			}
			fmt.Printf("server    %s\nversion   %s\ndatabase  %s, schema %d of %d\nwork      %d jobs ready or running, %d writes waiting\n",
				running, s.Version, s.Database, s.Schema, s.SchemaWant, s.QueueDepth, s.WritesWaiting)
			for _, p := range s.Problems {
				fmt.Println("problem   " + p)
			}
			if len(s.Problems) == 0 {
				fmt.Println("all is well")
			}
		}
		if len(s.Problems) > 0 {
			return fmt.Errorf("%d problems found", len(s.Problems))
		}
		return nil
	})
}
