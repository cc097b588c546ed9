package store

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	checkedTexts texts // query text -> text with numbered placeholders
	tenantIs     = regexp.MustCompile(`tenant_id\s*=\s*\?$`)
	tenantFirst  = regexp.MustCompile(`(?is)^\s*INSERT\s+INTO\s+\w+\s*\(\s*tenant_id\b`)
)

// checked numbers a query's placeholders: the tenant's are ?1, the others count
// from ?2, bare where they count so by themselves. A query that forgets its tenant is a defect and panics, which the
// first test that runs it finds.
func checked(q string) string {
	if known, ok := checkedTexts.get(q); ok {
		return known
	}
	var b strings.Builder
	n, tenants, largest := 1, 0, 0
	insert := tenantFirst.MatchString(q)
	var quote byte
	for i := 0; i < len(q); i++ {
		c := q[i]
		b.WriteByte(c)
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '?' && i+1 < len(q) && q[i+1] >= '0' && q[i+1] <= '9':
			if q[i+1] == '1' && (i+2 == len(q) || q[i+2] < '0' || q[i+2] > '9') {
				tenants++
			}
			k, _ := strconv.Atoi(digits(q[i+1:]))
			largest = max(largest, k)
		case c == '?':
			if tenantIs.MatchString(q[max(0, i-24):i+1]) || insert && n == 1 && tenants == 0 {
				tenants++
				b.WriteByte('1')
				largest = max(largest, 1)
				continue
			}
			// A placeholder whose number follows by itself stays bare: SQLite looks the
			// names of numbered ones up one by one, which a long INSERT feels.
			if n++; largest != n-1 {
				b.WriteString(strconv.Itoa(n))
			}
			largest = max(largest, n)
		}
	}
	if tenants == 0 {
		panic("store: this query does not name its tenant: " + q)
	}
	checkedTexts.put(q, b.String())
	return b.String()
}

// digits returns the digits that s begins with.
func digits(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}
