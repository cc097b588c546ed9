package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"parley/internal/face/admin"
)

// someFailed is the exit code of an import that took the file, but not every row.
const someFailed = 2

type importCmd struct {
	ofTenant  `embed:""`
	File      string `arg:"" help:"CSV file, or - for the standard input."`
	DryRun    bool   `help:"Only tell what would be done."`
	Errors    string `help:"Write the rows that were refused to this CSV file, with their lines and reasons." placeholder:"FILE" type:"path"`
	Delimiter string `help:"What stands between two cells; found out when left out: a comma, a semicolon, a tab or a bar." placeholder:"CHARACTER"`
}

// Help stands below the flags.
func (importCmd) Help() string {
	return `Examples:
  parley import --tenant ERIX_CLNT_7KQ2ZD people.csv --dry-run
  parley import --tenant ERIX_CLNT_7KQ2ZD people.csv --errors refused.csv

The first line names the columns: phone, email, firstName, lastName, name, source, tags, pipeline, stage,
dealValue, currency, dealTitle, assignedTo, refs.KEY, extra.KEY; any other is a custom field. A person is known
by the phone, else by the email; who is there already is updated, so that an import may be run again.
The command ends with 0 when every row was taken, with 2 when some were refused, with 1 when it broke off.`
}

// Limits of one call to the server.
const (
	importRows  = admin.ImportLimit
	importBytes = 8 << 20
)

// loader takes a file in.
type loader struct {
	cmd     *importCmd
	cl      *client
	in      *csv.Reader
	columns columns
	header  []string
	refused *refusals
	meter   *meter

	at   int // the line where what is not stored begins
	done admin.Imported
}

// load is a batch on its way from the file to the server.
type load struct {
	people []admin.Person
	rows   [][]string // of people, as they stand in the file
	lines  []int
	bad    []misread
	err    error // the file cannot be read any further
}

// misread is a row that is none.
type misread struct {
	line           int
	field, message string
	row            []string
}

// Run imports.
func (c *importCmd) Run() error {
	file, size := os.Stdin, int64(0)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		file = f
	}
	return with(c.Database, func(ctx context.Context, cl *client) error {
		l := &loader{cmd: c, cl: cl, meter: newMeter("rows", size)}
		defer l.meter.end()
		if err := l.open(file); err != nil {
			return err
		}
		err := l.walk(ctx)
		if e := l.refused.close(); err == nil {
			err = e
		}
		l.meter.end()
		verb := "imported"
		if c.DryRun {
			verb = "would be imported"
		}
		fmt.Printf("%d created, %d updated, %d refused (%s)\n", l.done.Created, l.done.Updated, l.done.Failed, verb)
		switch {
		case err != nil:
			return fmt.Errorf("broke off before line %d: %w; run it again to go on, rows that were taken are updated", l.at, err)
		case l.done.Failed > 0:
			return exitCode{someFailed, fmt.Errorf("%d rows were refused%s", l.done.Failed, l.refused.where())}
		}
		return nil
	})
}

// open reads the first line of the file and prepares the rest.
func (l *loader) open(file io.Reader) error {
	text := bufio.NewReaderSize(transform.NewReader(l.meter.count(file), unicode.BOMOverride(encoding.UTF8Validator)), 64<<10)
	comma, err := delimiter(text, l.cmd.Delimiter)
	if err != nil {
		return err
	}
	l.in = csv.NewReader(text)
	l.in.Comma, l.in.FieldsPerRecord, l.in.ReuseRecord = comma, -1, false
	if l.header, err = l.in.Read(); errors.Is(err, io.EOF) {
		return errors.New("the file is empty; its first line must name the columns")
	} else if err != nil {
		return readable(err)
	}
	var left []string
	if l.columns, left, err = readHeader(l.header); err != nil {
		return err
	}
	for _, name := range left {
		fmt.Fprintf(os.Stderr, "the column %s is the server's own and is not taken\n", name)
	}
	l.refused, err = newRefusals(l.cmd.Errors, l.header, comma)
	return err
}

// delimiter finds what stands between the cells of the first line.
func delimiter(text *bufio.Reader, told string) (rune, error) {
	if told != "" {
		if r := []rune(told); len(r) == 1 && r[0] != '"' && r[0] != '\n' && r[0] != '\r' {
			return r[0], nil
		}
		return 0, errors.New("--delimiter takes one character, such as ';'")
	}
	first, err := text.Peek(32 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, readable(err)
	}
	first, _, _ = bytes.Cut(first, []byte("\n"))
	best, most := ',', 0
	for _, r := range ",;\t|" {
		n, quoted := 0, false
		for _, b := range string(first) {
			if b == '"' {
				quoted = !quoted
			} else if b == r && !quoted {
				n++
			}
		}
		if n > most {
			best, most = r, n
		}
	}
	return best, nil
}

// readable says in plain words why a file cannot be read.
func readable(err error) error {
	var p *csv.ParseError
	switch {
	case errors.Is(err, encoding.ErrInvalidUTF8):
		return errors.New("the file is not UTF-8; save it as \"CSV UTF-8\"")
	case errors.As(err, &p):
		return fmt.Errorf("line %d is no CSV: %w", p.StartLine, p.Err)
	}
	return err
}

// walk stores the file batch by batch. While one is stored, the next is read.
func (l *loader) walk(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	loads, ended := make(chan *load, 1), make(chan struct{})
	defer func() { stop(); <-ended }()
	go func() {
		defer close(ended)
		for last := false; !last; {
			var b *load
			b, last = l.next()
			select {
			case loads <- b:
			case <-ctx.Done():
				return
			}
		}
		close(loads)
	}()
	for {
		select {
		case b, more := <-loads:
			if !more {
				return nil
			}
			if err := l.store(ctx, b); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next reads a batch. last tells that nothing follows it.
func (l *loader) next() (b *load, last bool) {
	b = &load{}
	for begun := l.in.InputOffset(); len(b.people) < importRows && l.in.InputOffset()-begun < importBytes; {
		row, err := l.in.Read()
		if errors.Is(err, io.EOF) {
			return b, true
		}
		if err != nil {
			b.err = readable(err)
			return b, true
		}
		line, _ := l.in.FieldPos(0)
		p, field, err := l.columns.person(row)
		if err != nil {
			b.bad = append(b.bad, misread{line, field, err.Error(), row})
			continue
		}
		b.rows, b.lines, b.people = append(b.rows, row), append(b.lines, line), append(b.people, p)
	}
	return b, false
}

// store stores a batch.
func (l *loader) store(ctx context.Context, b *load) error {
	for _, m := range b.bad {
		l.done.Failed++
		if err := l.refused.write(m.line, m.field, m.message, m.row); err != nil {
			return err
		}
	}
	l.at = 1
	if len(b.people) == 0 {
		return b.err
	}
	l.at = b.lines[0]
	res, err := l.cl.importPeople(ctx, l.cmd.path("people"), b.people, l.cmd.DryRun)
	if err != nil {
		return err
	}
	l.done.Created, l.done.Updated, l.done.Failed = l.done.Created+res.Created, l.done.Updated+res.Updated, l.done.Failed+res.Failed
	for _, e := range res.Errors {
		if err := l.refused.write(b.lines[e.Row], e.Field, e.Message, b.rows[e.Row]); err != nil {
			return err
		}
	}
	l.meter.add(len(b.people))
	l.at = b.lines[len(b.lines)-1] + 1
	return b.err
}

// refusals is the file of the rows that were refused, or the first few of them
// on stderr.
type refusals struct {
	path  string
	file  *os.File
	out   *csv.Writer
	shown int
}

func newRefusals(path string, header []string, comma rune) (*refusals, error) {
	r := &refusals{path: path}
	if path == "" {
		return r, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds what the rows hold
	if err != nil {
		return nil, err
	}
	r.file, r.out = f, csv.NewWriter(f)
	r.out.Comma = comma
	return r, r.out.Write(append([]string{"line", "field", "message"}, header...))
}

func (r *refusals) write(line int, field, message string, row []string) error {
	if r.out != nil {
		return r.out.Write(append([]string{strconv.Itoa(line), field, message}, row...))
	}
	if r.shown++; r.shown <= 10 {
		where := ""
		if field != "" {
			where = field + ": "
		}
		fmt.Fprintf(os.Stderr, "line %d: %s%s\n", line, where, message)
	}
	return nil
}

func (r *refusals) where() string {
	switch {
	case r.path != "":
		return "; see " + r.path
	case r.shown > 10:
		return "; --errors FILE writes them all"
	}
	return ""
}

func (r *refusals) close() error {
	if r.out == nil {
		return nil
	}
	r.out.Flush()
	return errors.Join(r.out.Error(), r.file.Close())
}
