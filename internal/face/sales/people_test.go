package sales_test

import (
	"context"
	"fmt"

	"parley/internal/contact"
	"parley/internal/handover"
	"parley/internal/id"
	"parley/internal/store"
	"parley/test/apitest"
)

// seedPeople makes many prospects by few transactions.
func seedPeople(r *apitest.Rig, tenant id.ID, people []map[string]any) error {
	for at := 0; at < len(people); at += 100 {
		_, err := store.Write(context.Background(), r.App.DB, tenant, func(tx *store.Tx) (int, error) {
			for _, p := range people[at:min(len(people), at+100)] {
				n := contact.New{FirstName: fmt.Sprint(p["firstName"]), Phone: fmt.Sprint(p["phone"])}
				if open, ok := p["attributes"].(map[string]any); ok {
					n.Attributes = open
				}
				c, err := r.App.Contacts.CreateIn(tx, "test", n)
				if err != nil {
					return 0, err
				}
				if _, err := r.App.Handovers.PlaceIn(tx, "test", c.ID, handover.Arrival{}); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
