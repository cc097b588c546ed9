package contact_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/internal/contact"
	"parley/internal/job"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Contacts from before the index get their words and references by a job.
func TestOldContactsAreIndexed(t *testing.T) {
	each(t, func(w world) {
		var people []contact.New
		for i := range 1203 {
			people = append(people, contact.New{FirstName: "Ann", LastName: fmt.Sprint("No", i), Email: fmt.Sprint(i, "@x.de"), Refs: map[string]string{"orderId": fmt.Sprint(i)}})
		}
		w.ensureMany(people)
		if err := w.db.Write(bg, w.tenant, func(tx *store.Tx) error {
			for _, table := range []string{"contact_word", "contact_ref"} {
				if _, err := tx.Exec("DELETE FROM " + table + " WHERE tenant_id=?"); err != nil {
					return err
				}
			}
			_, _, err := job.Enqueue(tx, job.New{Kind: "contact.index", Args: struct{}{}})
			return err
		}); err != nil {
			w.Fatal(err)
		}
		runner := job.NewRunner(w.db, job.Options{Node: "n", Poll: 10 * time.Millisecond})
		w.s.RegisterJobs(runner)
		ctx, stop := context.WithCancel(bg)
		ended := make(chan error, 1)
		go func() { ended <- runner.Run(ctx) }()
		done := func() bool {
			return w.count("SELECT COUNT(*) FROM job WHERE tenant_id=? AND kind='contact.index' AND state='completed'") == 1
		}
		for deadline := time.Now().Add(time.Minute); !done() && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		stop()
		<-ended
		if !done() {
			w.Fatal("the job has not ended")
		}
		if n := w.count("SELECT COUNT(*) FROM contact_word WHERE tenant_id=?"); n != 3*len(people) {
			w.Errorf("%d words of %d people", n, len(people))
		}
		for _, n := range []int{0, 499, 500, 1202} {
			if cid, found, err := w.s.FindByRef(w.db.Read(bg, w.tenant), "orderId", fmt.Sprint(n)); err != nil || !found {
				w.Error(n, cid, err)
			}
		}
	}, storetest.Once())
}
