package filter

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// safe is the largest magnitude up to which every whole number is a float64.
const safe = 1 << 53

// num is a number: whole numbers of int64 in i, all others in f. So a float in
// it is a fraction below 2^53 or beyond int64, and no two forms are equal.
type num struct {
	whole bool
	i     int64
	f     float64
}

func wholeNum(i int64) num { return num{whole: true, i: i} }

// floatNum reads a float by its shortest decimal text, which is what JSON holds.
func floatNum(f float64) (num, bool) {
	switch {
	case math.IsNaN(f):
		return num{}, false
	case f != math.Trunc(f) || math.Abs(f) >= 1<<63:
		return num{f: f}, true
	case math.Abs(f) <= safe:
		return wholeNum(int64(f)), true
	}
	var b [32]byte
	i, err := strconv.ParseInt(string(strconv.AppendFloat(b[:0], f, 'f', -1, 64)), 10, 64)
	if err != nil {
		return num{f: f}, true
	}
	return wholeNum(i), true
}

// textNum reads the text of a number.
func textNum(s string) (num, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return wholeNum(i), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return num{}, false
	}
	return floatNum(f)
}

// numOf reads a value that is a number; a time is its milliseconds.
func numOf(v any) (num, bool) {
	switch t := v.(type) {
	case float64:
		return floatNum(t)
	case int64:
		return wholeNum(t), true
	case json.Number:
		return textNum(string(t))
	case int:
		return wholeNum(int64(t)), true
	case int32:
		return wholeNum(int64(t)), true
	case uint32:
		return wholeNum(int64(t)), true
	case time.Time:
		return wholeNum(t.UnixMilli()), true
	}
	return otherNum(v)
}

func otherNum(v any) (num, bool) {
	switch t := v.(type) {
	case float32:
		return floatNum(float64(t))
	case int8:
		return wholeNum(int64(t)), true
	case int16:
		return wholeNum(int64(t)), true
	case uint8:
		return wholeNum(int64(t)), true
	case uint16:
		return wholeNum(int64(t)), true
	case uint64:
		if t > math.MaxInt64 {
			return num{f: float64(t)}, true
		}
		return wholeNum(int64(t)), true
	case uint:
		return otherNum(uint64(t))
	case time.Duration:
		return wholeNum(t.Milliseconds()), true
	}
	return num{}, false
}

// compare orders two numbers by their value, without rounding.
func (n num) compare(m num) int {
	switch {
	case n.whole && m.whole:
		return cmp.Compare(n.i, m.i)
	case !n.whole && !m.whole:
		return cmp.Compare(n.f, m.f)
	case !n.whole:
		return -m.compare(n)
	}
	// m is a fraction, or beyond every whole number.
	if math.Abs(m.f) >= 1<<63 {
		return cmp.Compare(0, m.f)
	}
	if lower := int64(math.Floor(m.f)); n.i <= lower {
		return -1
	}
	return 1
}

// value is the canonical Go value of a number.
func (n num) value() any {
	if n.whole {
		return n.i
	}
	return n.f
}

// float is the nearest float64.
func (n num) float() float64 {
	if n.whole {
		return float64(n.i)
	}
	return n.f
}

// text is the number as JSON.
func (n num) text() string {
	if n.whole {
		return strconv.FormatInt(n.i, 10)
	}
	return strconv.FormatFloat(n.f, 'g', -1, 64)
}

// shown is the number as people write it: no exponent, no trailing zeros.
func (n num) shown() string {
	if a := math.Abs(n.f); !n.whole && a < 1e21 && a >= 1e-6 {
		return strconv.FormatFloat(n.f, 'f', -1, 64)
	}
	return n.text()
}

// integer cuts the fraction off; ok is false beyond int64.
func (n num) integer() (int64, bool) {
	if n.whole {
		return n.i, true
	}
	return int64(n.f), math.Abs(n.f) < 1<<63
}

// looseNum reads a number or a text that is one, as conditions do.
func looseNum(v any) (num, bool) {
	if s, ok := v.(string); ok {
		s = strings.TrimSpace(s)
		if s == "" || len(s) > 64 || strings.ContainsAny(s, "xXpP_nNiI") {
			return num{}, false
		}
		n, ok := textNum(s)
		return n, ok && !math.IsInf(n.f, 0)
	}
	if _, ok := v.(time.Time); ok {
		return num{}, false
	}
	n, ok := numOf(v)
	return n, ok && !math.IsInf(n.f, 0)
}
