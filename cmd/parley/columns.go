package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/internal/face/admin"
)

// A CSV file of people: the columns that we know by name, and how the others are
// read. docs/operations.md describes it for people.

// readOnly are columns of an export that an import does not take.
var readOnly = []string{"id", "status", "score", "createdAt", "updatedAt"}

// known maps a header, folded, to the name of a column that we know.
var known = map[string]string{
	"phone": "phone", "mobile": "phone", "phonenumber": "phone", "email": "email", "emailaddress": "email", "firstname": "firstName", "lastname": "lastName",
	"name": "name", "fullname": "name", "source": "source", "assignedto": "assignedTo", "tags": "tags", "pipeline": "pipeline", "stage": "stage",
	"dealvalue": "dealValue", "value": "dealValue", "currency": "currency", "dealtitle": "dealTitle",
	"id": "id", "status": "status", "score": "score", "createdat": "createdAt", "updatedat": "updatedAt",
}

// The prefixes of columns that hold one key of an open map.
const (
	refColumn       = "refs."
	extraColumn     = "extra."
	attributeColumn = "attributes."
)

var joiner = strings.NewReplacer(" ", "", "_", "", "-", "")

func fold(header string) string {
	return strings.ToLower(joiner.Replace(header))
}

// columns are the fields of a file's columns, "" for those that are left out.
type columns []string

// readHeader understands the header of a file. left tells the columns that are
// not taken.
func readHeader(header []string) (c columns, left []string, err error) {
	seen := map[string]bool{}
	for _, h := range header {
		h = unguard(strings.TrimSpace(h))
		name := h
		switch k := known[fold(h)]; {
		case h == "":
			c = append(c, "")
			continue
		case slices.Contains(readOnly, k):
			c, left = append(c, ""), append(left, h)
			continue
		case k != "":
			name = k
		case strings.HasPrefix(h, refColumn), strings.HasPrefix(h, extraColumn), strings.HasPrefix(h, attributeColumn):
		default:
			name = attributeColumn + h
		}
		if strings.HasSuffix(name, ".") {
			return nil, nil, fmt.Errorf("the column %q names no key after its dot", h)
		}
		if seen[name] {
			return nil, nil, fmt.Errorf("two columns mean %s; take one of them away", strings.TrimPrefix(name, attributeColumn))
		}
		seen[name] = true
		c = append(c, name)
	}
	if !seen["phone"] && !seen["email"] {
		return nil, nil, fmt.Errorf("the file has neither a column phone nor a column email; its first line must name the columns")
	}
	return c, left, nil
}

// person reads one row. field names the column of an error.
func (c columns) person(row []string) (p admin.Person, field string, err error) {
	for i, cell := range row {
		if i >= len(c) {
			if strings.TrimSpace(cell) != "" {
				return p, "", fmt.Errorf("the row has more cells than the first line has columns")
			}
			continue
		}
		cell = unguard(strings.TrimSpace(cell))
		if cell == "" || c[i] == "" {
			continue
		}
		switch name := c[i]; name {
		case "phone":
			p.Phone = cell
		case "email":
			p.Email = cell
		case "firstName":
			p.FirstName = cell
		case "lastName":
			p.LastName = cell
		case "name":
			first, last, _ := strings.Cut(cell, " ")
			if p.FirstName == "" {
				p.FirstName = first
			}
			if p.LastName == "" {
				p.LastName = strings.TrimSpace(last)
			}
		case "source":
			p.Source = cell
		case "assignedTo":
			p.AssignedTo = cell
		case "tags":
			p.Tags = readTags(cell)
		case "pipeline":
			p.Pipeline = cell
		case "stage":
			p.Stage = cell
		case "dealValue":
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return p, name, fmt.Errorf("%q is no number; write it like 1500 or 1500.50", cell)
			}
			p.DealValue = &v
		case "currency":
			p.Currency = cell
		case "dealTitle":
			p.DealTitle = cell
		default:
			if key, ok := strings.CutPrefix(name, refColumn); ok {
				put(&p.Refs, key, cell)
			} else if key, ok := strings.CutPrefix(name, extraColumn); ok {
				put(&p.Extra, key, readValue(cell))
			} else {
				put(&p.Attributes, strings.TrimPrefix(name, attributeColumn), readValue(cell))
			}
		}
	}
	return p, "", nil
}

func put[T any](m *map[string]T, key string, v T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[key] = v
}

// readTags reads "a; b", or a JSON list where a tag holds a semicolon.
func readTags(cell string) (out []string) {
	if strings.HasPrefix(cell, "[") && json.Unmarshal([]byte(cell), &out) == nil {
		return out
	}
	for _, t := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '|' || r == ',' }) {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out
}

func writeTags(tags []string) string {
	plain := strings.Join(tags, ";")
	if slices.Equal(readTags(plain), tags) {
		return plain
	}
	b, _ := json.Marshal(tags) // cannot fail: strings
	return string(b)
}

// readValue reads an open value: what is JSON of a number, a truth value, a list,
// an object or a quoted text is that, anything else is text as it stands.
func readValue(cell string) any {
	if c := cell[:min(1, len(cell))]; c > "A" && !strings.Contains("[{tfn", c) {
		return cell // JSON does not begin so
	}
	var v any
	if cell != "null" && json.Unmarshal([]byte(cell), &v) == nil {
		return v
	}
	return cell
}

// writeValue is the opposite of readValue; null is an empty cell.
func writeValue(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok && s != "" && s == strings.TrimSpace(s) && readValue(s) == any(s) {
		return s
	}
	b, _ := json.Marshal(v) // cannot fail: it came as JSON
	return string(b)
}

// dangerous says whether a spreadsheet would take a cell for a formula. Plain
// numbers, phones among them, are none.
func dangerous(cell string) bool {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return false
	}
	rest := strings.TrimLeft(cell[1:], "0123456789.")
	return !(strings.ContainsRune("+-", rune(cell[0])) && rest == "" && len(cell) > 1)
}

// guard puts an apostrophe before a cell that a spreadsheet would take for a
// formula, and before one that looks as if it had been guarded.
func guard(cell string) string {
	if dangerous(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

// unguard takes guard's apostrophe away.
func unguard(cell string) string {
	if strings.HasPrefix(cell, "'") && dangerous(strings.TrimLeft(cell, "'")) {
		return cell[1:]
	}
	return cell
}

// header names the column of an open attribute; one that would be taken for a
// column that we know is written with its prefix.
func header(key string) string {
	if known[fold(key)] != "" || key != strings.TrimSpace(key) || strings.HasPrefix(key, refColumn) || strings.HasPrefix(key, extraColumn) || strings.HasPrefix(key, attributeColumn) {
		return attributeColumn + key
	}
	return key
}
