package conversation_test

import (
	"parley/internal/conversation/convtest"
	"parley/internal/job"
)

func laneOf(w *convtest.World) job.Lane {
	return job.Lane{Tenant: w.Tenant, Name: w.Account.ID.String()}
}
