package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

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

// fixed are the columns that every export has; the open ones follow.
var fixed = []string{"id", "phone", "email", "firstName", "lastName", "source", "assignedTo", "tags", "pipeline", "stage", "status",
	"dealValue", "currency", "dealTitle", "score", "createdAt", "updatedAt"}

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
		header, n, err := c.collect(ctx, cl, spool, m)
		if err != nil {
			return err
		}
		if _, err := spool.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := c.write(spool, header); err != nil {
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

// collect walks over the contacts and spools their rows; a later row may be
// longer than an earlier one. The next page is fetched while one is written.
func (c *exportCmd) collect(ctx context.Context, cl *client, spool io.Writer, m *meter) (header []string, n int, err error) {
	ctx, stop := context.WithCancel(ctx)
	pages := make(chan pageOf, 1)
	ended := make(chan struct{})
	defer func() { stop(); <-ended }()
	go func() {
		defer close(ended)
		after := ""
		for {
			q := url.Values{"after": {after}, "archived": {strconv.FormatBool(c.Archived)}}
			var p pageOf
			p.err = cl.call(ctx, "GET", c.path("people")+"?"+q.Encode(), nil, &p.people)
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
	t := &table{header: slices.Clone(fixed), at: map[string]int{}}
	buf := bufio.NewWriterSize(spool, 256<<10)
	out := csv.NewWriter(buf)
	for {
		p := <-pages
		if p.err != nil {
			return nil, n, p.err
		}
		if len(p.people) == 0 {
			out.Flush()
			return t.header, n, errors.Join(out.Error(), buf.Flush())
		}
		for i := range p.people {
			if err := out.Write(t.row(&p.people[i])); err != nil {
				return nil, n, err
			}
		}
		n += len(p.people)
		m.add(len(p.people))
	}
}

// table lays people out in columns, which grow as new keys are met.
type table struct {
	header []string
	at     map[string]int
	cells  []string
}

func (t *table) row(p *admin.Person) []string {
	value := ""
	if p.DealValue != nil {
		value = strconv.FormatFloat(*p.DealValue, 'f', -1, 64)
	}
	t.cells = append(t.cells[:0], p.ID, p.Phone, p.Email, p.FirstName, p.LastName, p.Source, p.AssignedTo, writeTags(p.Tags), p.Pipeline, p.Stage, p.Status,
		value, p.Currency, p.DealTitle, strconv.Itoa(p.Score), moment(p.CreatedAt), moment(p.UpdatedAt))
	for _, k := range slices.Sorted(maps.Keys(p.Refs)) {
		t.put(refColumn+k, p.Refs[k])
	}
	for _, k := range slices.Sorted(maps.Keys(p.Extra)) {
		t.put(extraColumn+k, writeValue(p.Extra[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(p.Attributes)) {
		t.put(header(k), writeValue(p.Attributes[k]))
	}
	for i, cell := range t.cells {
		t.cells[i] = guard(cell)
	}
	return t.cells
}

func (t *table) put(column, cell string) {
	i, ok := t.at[column]
	if !ok {
		i = len(t.header)
		t.at[column] = i
		t.header = append(t.header, column)
	}
	for len(t.cells) <= i {
		t.cells = append(t.cells, "")
	}
	t.cells[i] = cell
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// write makes the file: the header, then the rows, all of one length. A file
// appears under its name only when it is whole.
func (c *exportCmd) write(spool io.Reader, header []string) (err error) {
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
	buf := bufio.NewWriterSize(file, 256<<10)
	out := csv.NewWriter(buf)
	out.UseCRLF = true // RFC 4180
	in := csv.NewReader(bufio.NewReaderSize(spool, 256<<10))
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = guard(h)
	}
	if err := out.Write(names); err != nil {
		return err
	}
	row := make([]string, len(header))
	for {
		got, err := in.Read()
		if errors.Is(err, io.EOF) {
			out.Flush()
			return errors.Join(out.Error(), buf.Flush())
		}
		if err != nil {
			return err
		}
		clear(row[copy(row, got):])
		if err := out.Write(row); err != nil {
			return err
		}
	}
}
