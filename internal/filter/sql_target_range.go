package filter

import (
	"math"
	"strconv"
	"time"
)

// textNumber compares a text that is a short decimal with a number.
func (c *compiler) textNumber(expr string, b *bound) part {
	op := sign(b.sign())
	if c.pg {
		digits := " AND length(translate(" + expr + ",'-.',''))<=" + strconv.Itoa(shortDigits)
		return exactly("CASE WHEN "+expr+" ~ '^-{0,1}[0-9]+([.][0-9]+){0,1}$'"+digits+" THEN "+expr+"::numeric"+op+"?::numeric ELSE FALSE END", b.n.text())
	}
	y := "substr(" + expr + ",1+(" + expr + " GLOB '-*'))"
	shape := y + " GLOB '[0-9]*' AND " + y + " NOT GLOB '*[^0-9.]*' AND " + y + " NOT GLOB '*.*.*' AND " + y + " GLOB '*[0-9]' AND length(replace(" + y + ",'.',''))<=" + strconv.Itoa(shortDigits)
	value := "CAST(" + expr + " AS REAL)"
	if b.n.whole && b.n.i >= -safe && b.n.i <= safe {
		return exactly("("+shape+" AND "+value+op+"?)", b.n.i)
	}
	// Two short decimals lie at least four doubles apart. SQLite may be wrong about
	// the last bit, so the bound is between them.
	at := b.n.float()
	if b.low == b.equal { // >= and <
		at = away(at, math.Inf(-1))
	} else {
		at = away(at, math.Inf(1))
	}
	_, digits, ok := decimal(b.text)
	if ok && digits <= shortDigits {
		return exactly("("+shape+" AND "+value+op+"?)", at)
	}
	// The bound may be between two doubles of short decimals' neighbours.
	if b.low {
		return roughly("("+shape+" AND "+value+">=?)", away(b.n.float(), math.Inf(-1)))
	}
	return roughly("("+shape+" AND "+value+"<=?)", away(b.n.float(), math.Inf(1)))
}

func away(f, to float64) float64 { return math.Nextafter(math.Nextafter(f, to), to) }

const (
	days29 = "^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
	clock  = "(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9}){0,1}(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9]){0,1}){0,1}$"
	zoneP  = "[-+][0-9]{2}:[0-9]{2}"
	dateG  = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
	clockG = "T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
	zoneG  = "[-+][0-9][0-9]:[0-9][0-9]"
	usualG = dateG + "T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z"
	usualT = "2006-01-02T15:04:05.000Z"
)

// textDate compares a text that is a date or a moment, read as isoMoment does. A
// date, and a moment of the usual form, are in order as texts; others are computed.
func (c *compiler) textDate(expr string, b *bound) part {
	op := sign(b.sign())
	full := "EXISTS (SELECT 1 FROM " + c.momentOf(expr) + " AND ms" + op + c.param("bigint") + ")"
	at := time.UnixMilli(b.n.i).UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return exactly(full, b.n.i)
	}
	day := *b // the same bound for dates: midnight comes first in its day
	if at.Truncate(24*time.Hour) != at {
		day.equal = !b.low
	}
	if c.pg {
		dayOp := " COLLATE \"C\"" + sign(day.sign()) + "?::text"
		return exactly("CASE WHEN length("+expr+")=10 THEN CASE WHEN "+expr+dayOp+" THEN "+validP(expr)+" ELSE FALSE END"+
			" WHEN length("+expr+")=24 AND "+expr+" LIKE '%.___Z' THEN CASE WHEN "+expr+" COLLATE \"C\""+op+"?::text THEN "+validP(expr)+" ELSE FALSE END ELSE "+full+" END",
			at.Format(time.DateOnly), at.Format(usualT), b.n.i)
	}
	valid := expr + ">='0001' AND date(substr(" + expr + ",1,10))=substr(" + expr + ",1,10)"
	return exactly("CASE WHEN length("+expr+")=10 THEN "+expr+" GLOB '"+dateG+"' AND "+expr+sign(day.sign())+"? AND "+valid+
		" WHEN "+expr+" GLOB '"+usualG+"' THEN "+expr+op+"? AND substr("+expr+",12,2)<'24' AND "+valid+" ELSE "+full+" END",
		at.Format(time.DateOnly), at.Format(usualT), b.n.i)
}

// validP holds for a text that is a date or a moment.
func validP(x string) string {
	leap := "CASE WHEN substr(" + x + ",6,5)='02-29' THEN substr(" + x + ",1,4)::int % 4=0 AND (substr(" + x + ",1,4)::int % 100<>0 OR substr(" + x + ",1,4)::int % 400=0) ELSE TRUE END"
	return "CASE WHEN " + x + " ~ '" + days29 + clock + "' AND substr(" + x + ",1,4)<>'0000' THEN " + leap + " ELSE FALSE END"
}

// momentOf selects ms, the milliseconds of a text, or no row when it is no moment.
func (c *compiler) momentOf(expr string) string {
	if c.pg {
		ms := "EXTRACT(EPOCH FROM (regexp_replace(dx,'[.][0-9]+','')||CASE WHEN dx ~ '(Z|" + zoneP + ")$' THEN '' ELSE 'Z' END)::timestamptz)::bigint*1000" +
			"+coalesce(rpad(substring(dx from '[.]([0-9]{1,3})'),3,'0'),'0')::int"
		return "(SELECT CASE WHEN " + validP("dx") + " THEN " + ms + " END AS ms FROM (SELECT " + expr + " AS dx) d) e WHERE ms IS NOT NULL"
	}
	// dx is the text, dt what is behind its seconds, dz its zone, df its fraction.
	from := "(SELECT dx, dz, substr(dt,1,length(dt)-length(dz)) AS df FROM (SELECT dx, dt, CASE WHEN dt GLOB '*Z' THEN 'Z' WHEN dt GLOB '*" + zoneG +
		"' THEN substr(dt,-6) ELSE '' END AS dz FROM (SELECT " + expr + " AS dx, substr(" + expr + ",20) AS dt)))"
	valid := "dx GLOB '" + dateG + "*' AND date(substr(dx,1,10))=substr(dx,1,10) AND dx>='0001' AND (length(dx)=10 OR dx GLOB '" + dateG + clockG +
		"*' AND substr(dx,12,2)<'24' AND (df='' OR length(df)<=10 AND df GLOB '.[0-9]*' AND substr(df,2) NOT GLOB '*[^0-9]*'))"
	ms := "unixepoch(substr(dx,1,19)||dz)*1000+CAST(substr(substr(df,2)||'000',1,3) AS INTEGER)"
	return "(SELECT " + ms + " AS ms FROM " + from + " WHERE " + valid + ") WHERE ms IS NOT NULL"
}
