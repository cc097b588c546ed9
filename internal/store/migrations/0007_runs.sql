-- Runs that a person can pause and resume, enrolments in sequences, goals, waits
-- for named events, and calls out whose answer a run waits for.
-- +goose Up

-- enrollment marks the runs of sequences. exit_reason says why a run ended before
-- its last node. goal_key is the event that ends the run as having reached its
-- goal, while it is open.
ALTER TABLE run ADD COLUMN enrollment BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE run ADD COLUMN exit_reason TEXT;
ALTER TABLE run ADD COLUMN goal_key TEXT;
CREATE INDEX run_goal ON run (tenant_id, goal_key) WHERE goal_key IS NOT NULL;
-- What is still open of a contact moves with a merge.
CREATE INDEX run_open ON run (tenant_id, contact_id) WHERE completed_at IS NULL;
-- Nobody is in the same sequence twice at a time.
CREATE UNIQUE INDEX run_enrolled_once ON run (tenant_id, automation_id, contact_id) WHERE enrollment AND completed_at IS NULL;
CREATE INDEX run_enrollments ON run (tenant_id, contact_id, started_at, id) WHERE enrollment;
-- Completed runs are the many; the few others are found by their status.
CREATE INDEX run_by_status ON run (tenant_id, automation_id, status, started_at, id) WHERE status <> 'completed';

-- A branch that waits for a named event tells the rule and the name beside its
-- wait_key, so that a call to the rule finds it without knowing the contact.
ALTER TABLE run_branch ADD COLUMN wait_rule TEXT;
ALTER TABLE run_branch ADD COLUMN wait_event TEXT;
CREATE INDEX run_branch_event ON run_branch (tenant_id, wait_rule, wait_event, run_id) WHERE wait_event IS NOT NULL;

-- The names of events that any kept version of a rule waits for.
CREATE TABLE automation_event (
  tenant_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (tenant_id, automation_id, name)
);

-- Headers that the author of a call gave it.
ALTER TABLE webhook_delivery ADD COLUMN headers JSON;

-- +goose Down
ALTER TABLE webhook_delivery DROP COLUMN headers;
DROP TABLE automation_event;
DROP INDEX run_branch_event;
ALTER TABLE run_branch DROP COLUMN wait_event;
ALTER TABLE run_branch DROP COLUMN wait_rule;
DROP INDEX run_by_status;
DROP INDEX run_enrollments;
DROP INDEX run_enrolled_once;
DROP INDEX run_open;
DROP INDEX run_goal;
ALTER TABLE run DROP COLUMN goal_key;
ALTER TABLE run DROP COLUMN exit_reason;
ALTER TABLE run DROP COLUMN enrollment;
