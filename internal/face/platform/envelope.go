package platform

import (
	"encoding/json"
	"net/http"

	"parley/internal/httpx"
)

// success is the envelope of a single result (reference §1.3).
type success struct {
	Success bool   `json:"success"`
	Message string `json:"message,omitempty"`
	Data    any    `json:"data,omitempty"`
}

// ok answers {success, data}.
func ok(data any) (*httpx.Response, error) { return status(http.StatusOK, data) }

// created answers 201 with {success, data}.
func created(data any) (*httpx.Response, error) { return status(http.StatusCreated, data) }

func status(code int, data any) (*httpx.Response, error) {
	return httpx.JSON(code, success{Success: true, Data: data}), nil
}

// told answers {success, message} and data when there is any.
func told(message string, data any) (*httpx.Response, error) {
	return httpx.JSON(http.StatusOK, success{true, message, data}), nil
}

// reserved are the names that hoisted fields never overwrite.
var reserved = []string{"success", "data", "message", "code", "pagination"}

// dual answers {success, data} with the fields of data at the top level too,
// because clients read either (reference §1.3, dual envelope).
func dual(data any) (*httpx.Response, error) {
	raw, err := httpx.EncodeJSON(data)
	if err != nil {
		return nil, err
	}
	top := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, err
	}
	for _, name := range reserved {
		delete(top, name)
	}
	top["success"], top["data"] = json.RawMessage("true"), raw
	return httpx.JSON(http.StatusOK, top), nil
}

// place says where a page lies. Total below zero means unknown: a list that
// pages by cursor is not counted.
type place struct {
	total, page, limit int
	more               bool   // for lists by cursor
	next               string // cursor of the next page
}

// page is the envelope of every list (reference §1.4): each spelling that
// clients read.
type page struct {
	Success    bool       `json:"success"`
	Data       any        `json:"data"`
	Pagination pagination `json:"pagination"`
	pagination
	TotalPages *int   `json:"totalPages,omitempty"`
	HasMore    bool   `json:"hasMore"`
	NextCursor string `json:"nextCursor,omitempty"`
	Items      any    `json:"items,omitempty"` // timeline only (§2.9)
}

// pagination is the block that lead lists read; its fields stand at the top
// level as well.
type pagination struct {
	Total *int `json:"total,omitempty"`
	Page  *int `json:"page,omitempty"`
	Limit int  `json:"limit"`
	Pages *int `json:"pages,omitempty"`
}

// list answers a page. A page past the end is empty and has no more.
func list[T any](items []T, at place) page {
	if items == nil {
		items = []T{}
	}
	p := pagination{Limit: at.limit}
	more := at.more
	if at.total >= 0 {
		pages := 0
		if at.limit > 0 {
			pages = (at.total + at.limit - 1) / at.limit
		}
		p.Total, p.Pages = &at.total, &pages
		more = more || at.page < pages
	}
	if at.page > 0 {
		p.Page = &at.page
	}
	return page{Success: true, Data: items, Pagination: p, pagination: p, TotalPages: p.Pages, HasMore: more, NextCursor: at.next}
}

// whole answers a list that is never paged.
func whole[T any](items []T) (*httpx.Response, error) {
	return httpx.JSON(http.StatusOK, list(items, place{total: len(items), page: 1, limit: max(len(items), 1)})), nil
}

// maxLimit is the longest page; more is refused, never cut (reference §1.4).
const maxLimit = 1000

// paging reads page and limit.
func paging(r *httpx.Request, limit int) (page, size int, err error) {
	if page, err = r.QueryInt("page", 1, 1, 1_000_000); err != nil {
		return 0, 0, err
	}
	size, err = r.QueryInt("limit", limit, 1, maxLimit)
	return page, size, err
}
