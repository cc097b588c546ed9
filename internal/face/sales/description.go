package sales

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"parley/api"
	"parley/internal/httpx"
)

// described is api/sales.yaml as JSON; it is a part of the program, so it is read
// once.
var described = sync.OnceValues(func() ([]byte, error) { return api.JSON(Name) })

// description answers what api/sales.yaml says (reference §1.1: /swagger.json).
func (f *Face) description(context.Context, *httpx.Request) (*httpx.Response, error) {
	raw, err := described()
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, json.RawMessage(raw)), nil
}
