package parley

import (
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Page is one page of a list.
type Page[T any] struct {
	Data []T
	// Total is the number of all rows; lists that page by cursor do not count.
	Total int
	// Number, Limit and Pages tell where the page stands, counted from 1.
	Number, Limit, Pages int
	// HasMore says that there is a further page.
	HasMore bool
	// NextCursor leads to it, in lists that page by cursor.
	NextCursor string
}

// UnmarshalJSON reads a list's whole answer: the figures stand at the top level
// or under pagination (reference §1.4).
func (p *Page[T]) UnmarshalJSON(b []byte) error {
	type figures struct {
		Total, Page, Limit, Pages, TotalPages int
	}
	var in struct {
		Data       []T
		HasMore    *bool
		NextCursor string
		Pagination figures
	}
	var top figures
	if err := errors.Join(json.Unmarshal(b, &in), json.Unmarshal(b, &top)); err != nil {
		return err
	}
	*p = Page[T]{Data: in.Data, NextCursor: in.NextCursor,
		Total:  max(top.Total, in.Pagination.Total),
		Number: max(top.Page, in.Pagination.Page),
		Limit:  max(top.Limit, in.Pagination.Limit),
		Pages:  max(top.Pages, top.TotalPages, in.Pagination.Pages)}
	if in.HasMore != nil {
		p.HasMore = *in.HasMore
	} else {
		p.HasMore = p.NextCursor != "" || p.Number < p.Pages
	}
	return nil
}

// walk yields the rows of pages until the last, an error, or the caller's end.
// next fetches a page by number and cursor.
func walk[T any](next func(number int, cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		cursor := ""
		for n := 1; ; n++ {
			p, err := next(n, cursor)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, row := range p.Data {
				if !yield(row, nil) {
					return
				}
			}
			if len(p.Data) == 0 || !p.HasMore {
				return
			}
			cursor = p.NextCursor
		}
	}
}

// params builds a query; zero values are left out.
type params struct{ url.Values }

func newParams() params { return params{url.Values{}} }

func (p params) text(name, v string) params {
	if v != "" {
		p.Set(name, v)
	}
	return p
}

func (p params) number(name string, v int) params {
	if v != 0 {
		p.Set(name, strconv.Itoa(v))
	}
	return p
}

func (p params) time(name string, v time.Time) params {
	if !v.IsZero() {
		p.Set(name, v.UTC().Format(time.RFC3339Nano))
	}
	return p
}

func (p params) list(name string, v []string) params { return p.text(name, strings.Join(v, ",")) }

func (p params) flag(name string, v *bool) params {
	if v != nil {
		p.Set(name, strconv.FormatBool(*v))
	}
	return p
}
