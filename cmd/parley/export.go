package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"parley/internal/face/admin"
)

type exportCmd struct {
	ofTenant `embed:""`
	File     string `arg:"" help:"CSV file to write, or - for the standard output."`
	Archived bool   `help:"Write archived contacts too."`
}

// Help stands below the flags.
func (exportCmd) Help() string {
	return `Example:
  parley export --tenant ERIX_CLNT_7KQ2ZD people.csv

The oldest contacts stand first. The file has every reference and custom field as a column, and can be given to
` + "`parley import`" + `. A cell that a spreadsheet would take for a formula has an apostrophe before it, which an import takes away.`
}

// Run exports. Which columns there are is known only once the last contact was
// read, so the rows wait in a file that nobody else can read, and memory stays
// flat.
func (c *exportCmd) Run() error {
	return with(c.Database, func(ctx context.Context, cl *client) error {
		spool, err := os.CreateTemp(c.spoolDir(), ".parley-export-*")
		if err != nil {
			return err
		}
		defer spool.Close()
		defer os.Remove(spool.Name())
		m := newMeter("contacts", 0)
		defer m.end()
		t, n, err := c.collect(ctx, cl, spool, m)
		if err != nil {
			return err
		}
		if err := c.write(t); err != nil {
			return err
		}
		m.end()
		if c.File != "-" {
			fmt.Printf("exported %d contacts to %s\n", n, c.File)
		}
		return nil
	})
}

// spoolDir keeps the rows where the export goes, which has the room for them.
func (c *exportCmd) spoolDir() string {
	if c.File == "-" {
		return ""
	}
	return filepath.Dir(c.File)
}

type pageOf struct {
	people []admin.Person
	err    error
}

// collect walks over the contacts and spools their rows. The next page is
// fetched while one is written.
func (c *exportCmd) collect(ctx context.Context, cl *client, spool *os.File, m *meter) (t *table, n int, err error) {
	ctx, stop := context.WithCancel(ctx)
	pages := make(chan pageOf, 1)
	ended := make(chan struct{})
	defer func() { stop(); <-ended }()
	go func() {
		defer close(ended)
		after := ""
		for {
			var p pageOf
			p.people, p.err = cl.exportPeople(ctx, c.path("people"), after, c.Archived)
			select {
			case pages <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil || len(p.people) == 0 {
				return
			}
			after = p.people[len(p.people)-1].ID
		}
	}()
	t = newTable(spool)
	for {
		var p pageOf
		select {
		case p = <-pages:
		case <-ctx.Done(): // interrupted: no further page may come
			return nil, n, ctx.Err()
		}
		if p.err != nil {
			return nil, n, p.err
		}
		if len(p.people) == 0 {
			return t, n, t.end()
		}
		for i := range p.people {
			if err := t.add(&p.people[i]); err != nil {
				return nil, n, err
			}
		}
		n += len(p.people)
		m.add(len(p.people))
	}
}

// write makes the file. It appears under its name only when it is whole.
func (c *exportCmd) write(t *table) (err error) {
	file := os.Stdout
	if c.File != "-" {
		if file, err = os.CreateTemp(filepath.Dir(c.File), ".parley-export-*"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = file.Sync()
			}
			if e := file.Close(); err == nil {
				err = e
			}
			if err == nil {
				err = os.Rename(file.Name(), c.File)
			}
			if err != nil {
				_ = os.Remove(file.Name())
			}
		}()
	}
	return t.copy(file)
}
