package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"parley/internal/face/admin"
)

// fixed are the columns that every export has; the open ones follow.
var fixed = []string{"id", "phone", "email", "firstName", "lastName", "source", "assignedTo", "tags", "pipeline", "stage", "status",
	"dealValue", "currency", "dealTitle", "score", "createdAt", "updatedAt"}

// table lays people out in columns, which grow as new keys are met, and spools
// them as CSV.
type table struct {
	header []string
	// The columns of the keys of the open maps.
	refs, extra, attributes map[string]int
	cells                   []string

	spool   *os.File
	written *counter
	out     *csv.Writer
	pieces  []piece
}

// piece is a run of rows in the spool that are all of one width.
type piece struct {
	at    int64 // where it begins
	width int
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func newTable(spool *os.File) *table {
	t := &table{header: slices.Clone(fixed), refs: map[string]int{}, extra: map[string]int{}, attributes: map[string]int{}, spool: spool}
	t.written = &counter{w: spool}
	t.out = csvTo(bufio.NewWriterSize(t.written, 256<<10))
	t.pieces = []piece{{0, len(t.header)}}
	return t
}

// csvTo writes rows as RFC 4180 has them.
func csvTo(w io.Writer) *csv.Writer {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out
}

// add spools a person.
func (t *table) add(p *admin.Person) error {
	row := t.row(p)
	if last := t.pieces[len(t.pieces)-1]; len(t.header) > last.width {
		if err := t.end(); err != nil {
			return err
		}
		t.pieces = append(t.pieces, piece{t.written.n, len(t.header)})
	}
	for len(row) < len(t.header) {
		row = append(row, "")
	}
	t.cells = row
	return t.out.Write(row)
}

// end writes what is still in memory.
func (t *table) end() error {
	t.out.Flush()
	return t.out.Error()
}

func (t *table) row(p *admin.Person) []string {
	value := ""
	if p.DealValue != nil {
		value = strconv.FormatFloat(*p.DealValue, 'f', -1, 64)
	}
	t.cells = append(t.cells[:0], p.ID, p.Phone, p.Email, p.FirstName, p.LastName, p.Source, p.AssignedTo, writeTags(p.Tags), p.Pipeline, p.Stage, p.Status,
		value, p.Currency, p.DealTitle, strconv.Itoa(p.Score), moment(p.CreatedAt), moment(p.UpdatedAt))
	lay(t, t.refs, p.Refs, func(k string) string { return refColumn + k }, func(v string) string { return v })
	lay(t, t.extra, p.Extra, func(k string) string { return extraColumn + k }, writeValue)
	lay(t, t.attributes, p.Attributes, header, writeValue)
	for i, cell := range t.cells {
		t.cells[i] = guard(cell)
	}
	return t.cells
}

// lay puts an open map into its columns. New ones are made in the order of their
// keys, so that the same people always make the same file.
func lay[T any](t *table, at map[string]int, m map[string]T, name func(string) string, cell func(T) string) {
	fresh := false
	for k := range m {
		if _, ok := at[k]; !ok {
			fresh = true
			break
		}
	}
	if fresh {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if _, ok := at[k]; !ok {
				at[k] = len(t.header)
				t.header = append(t.header, name(k))
			}
		}
	}
	for k, v := range m {
		i := at[k]
		for len(t.cells) <= i {
			t.cells = append(t.cells, "")
		}
		t.cells[i] = cell(v)
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// copy writes the whole file: the header, then the rows, all of one length. The
// rows since the last new column are so already; those before it get the cells
// they lack.
func (t *table) copy(file *os.File) error {
	buf := bufio.NewWriterSize(file, 256<<10)
	out := csvTo(buf)
	names := make([]string, len(t.header))
	for i, h := range t.header {
		names[i] = guard(h)
	}
	if err := out.Write(names); err != nil {
		return err
	}
	for i, p := range t.pieces {
		end := t.written.n
		if i+1 < len(t.pieces) {
			end = t.pieces[i+1].at
		}
		if _, err := t.spool.Seek(p.at, io.SeekStart); err != nil {
			return err
		}
		if p.width < len(t.header) {
			if err := widen(out, io.LimitReader(t.spool, end-p.at), len(t.header)); err != nil {
				return err
			}
			continue
		}
		out.Flush()
		if err := errors.Join(out.Error(), buf.Flush()); err != nil {
			return err
		}
		if _, err := io.CopyN(file, t.spool, end-p.at); err != nil {
			return err
		}
	}
	out.Flush()
	return errors.Join(out.Error(), buf.Flush())
}

// widen copies rows and makes them so wide.
func widen(out *csv.Writer, rows io.Reader, width int) error {
	in := csv.NewReader(bufio.NewReaderSize(rows, 256<<10))
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	row := make([]string, width)
	for {
		got, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
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
