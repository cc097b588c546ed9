package deal_test

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/internal/deal"
	"parley/internal/event"
	"parley/internal/id"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// benchRows is how many people one round of BenchmarkImport stores; PARLEY_IMPORT_ROWS
// changes it.
const benchRows = 20000

// raw are the tables that an import writes, with the columns behind tenant_id.
var raw = []struct{ table, columns, by string }{
	{"identity", "contact_id, kind, value, raw, is_primary, claimed, created_at", "contact_id"},
	{"contact", "id, first_name, last_name, search_name, source, assigned_to, refs, extra, attributes, score, created_at, updated_at", "id"},
	{"contact_tag", "contact_id, tag, created_at", "contact_id"},
	{"contact_word", "word, contact_id", "contact_id"},
	{"deal", "id, contact_id, pipeline_id, stage_id, status, title, value, currency, is_primary, entered_stage_at, created_at, updated_at", "id"},
	{"deal_stage", "deal_id, position, stage_id, entered_at", "deal_id"},
	{"event", "xid, type, subject, contact_id, actor, at", "seq"},
}

// BenchmarkImport stores people, and then the very rows that this made once more
// by bare prepared INSERTs in transactions of the same size: the bound that the
// schema sets, without looking anything up and without checking anything.
func BenchmarkImport(b *testing.B) {
	n := benchRows
	if v, err := strconv.Atoi(os.Getenv("PARLEY_IMPORT_ROWS")); err == nil {
		n = v
	}
	for range b.N {
		w := newWorld(b, storetest.SQLite(b, storetest.Once()), event.NewLog())
		rows := make([]deal.NewCard, n)
		for i := range rows {
			k := i * 7919 % n // phones come in no order
			rows[i].New = person(fmt.Sprint("First", k%1000), fmt.Sprint("+91", 9000000000+k))
			rows[i].LastName, rows[i].Email, rows[i].Tags = fmt.Sprint("Last", i%7777), fmt.Sprint("p", k, "@example.com"), []string{"hot"}
		}
		wall, cpu := spent(func() {
			res, err := w.s.Import(bg, w.tenant, actor, rows)
			if err != nil || res.Created != n {
				b.Fatal(res.Created, err)
			}
		})
		b.ReportMetric(float64(n)/wall.Seconds(), "rows/s")
		b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-µs/row")

		bare := storetest.SQLite(b, storetest.Once())
		copies := map[string][][]any{}
		for _, t := range raw {
			copies[t.table] = readRows(b, w, t.table, t.columns, t.by)
		}
		wall, cpu = spent(func() { writeBare(b, bare, w.tenant, copies, n, deal.ImportLimit) })
		b.ReportMetric(float64(n)/wall.Seconds(), "bare-rows/s")
		b.ReportMetric(float64(cpu.Microseconds())/float64(n), "bare-cpu-µs/row")
	}
}

// spent measures the wall and the processor time of f.
func spent(f func()) (wall, cpu time.Duration) {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	begun := time.Now()
	f()
	wall = time.Since(begun)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	return wall, time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

func readRows(b *testing.B, w world, table, columns, by string) [][]any {
	width := strings.Count(columns, ",") + 1
	rows, err := w.db.Read(bg, w.tenant).Query("SELECT " + columns + " FROM " + table + " WHERE tenant_id=? ORDER BY " + by)
	list, err := store.Collect(rows, err, func(r *sql.Rows) ([]any, error) {
		row, at := make([]any, width), make([]any, width)
		for i := range row {
			at[i] = &row[i]
		}
		return row, r.Scan(at...)
	})
	if err != nil {
		b.Fatal(err)
	}
	return list
}

func writeBare(b *testing.B, db *store.DB, tenant id.ID, copies map[string][][]any, people, perTx int) {
	parts := (people + perTx - 1) / perTx
	for part := range parts {
		err := db.Write(bg, tenant, func(tx *store.Tx) error {
			for _, t := range raw {
				all := copies[t.table]
				mine := all[len(all)*part/parts : len(all)*(part+1)/parts]
				for rows := range slices.Chunk(mine, 64) {
					args := make([]any, 0, len(rows)*(len(rows[0])+1))
					for _, r := range rows {
						args = append(append(args, tenant.String()), r...)
					}
					one := "(" + strings.Repeat("?,", len(rows[0])) + "?)"
					if _, err := tx.System().Exec("INSERT INTO "+t.table+" (tenant_id, "+t.columns+") VALUES "+one+strings.Repeat(","+one, len(rows)-1), args...); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
