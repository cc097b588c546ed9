package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Check is one condition of readiness. Run must respect its context.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// checkTime is how long a check may take before it counts as failing.
const checkTime = 2 * time.Second

// Healthz answers that the process is alive: 200 {"status":"ok"}, also while
// draining.
func Healthz() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	}
}

// Readyz answers whether the process can take work: 200 {"status":"ok"}, or 503
// {"status":"unavailable","failing":[names]}. The checks run side by side; why
// one fails goes to the log only, because anybody may ask.
func Readyz(log *slog.Logger, checks ...Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		results := make([]chan error, len(checks))
		for i, c := range checks {
			results[i] = make(chan error, 1)
			go func() { results[i] <- run(ctx, c) }()
		}
		failing := []string{}
		for i, c := range checks {
			var err error
			select {
			case err = <-results[i]:
			case <-ctx.Done():
				select { // a result that came at the same moment counts
				case err = <-results[i]:
				default:
					err = ctx.Err()
				}
			}
			if err != nil {
				failing = append(failing, c.Name)
				log.Warn("not ready", "check", c.Name, "error", err)
			}
		}
		if len(failing) > 0 {
			w.Header().Set("Retry-After", "1")
			answer(w, http.StatusServiceUnavailable, map[string]any{"status": "unavailable", "failing": failing})
			return
		}
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	}
}

// run turns a check's panic into its failure.
func run(ctx context.Context, c Check) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("telemetry: check %s panicked: %v", c.Name, p)
		}
	}()
	return c.Run(ctx)
}

func answer(w http.ResponseWriter, status int, body any) {
	b, _ := json.Marshal(body) // strings only
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
