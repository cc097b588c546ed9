package automation

import (
	"maps"
	"slices"
)

// nodeAliases are the kinds of nodes by every spelling (reference 3.4). A node
// whose type is an action's is an action.
var nodeAliases = map[string]string{
	"condition": nodeCondition, "action": nodeAction,
	"delay": nodeDelay, "wait": nodeDelay,
	"wait_event": nodeEvent, "wait-for-event": nodeEvent, "waitForEvent": nodeEvent, "wait_for_event": nodeEvent, "waitEvent": nodeEvent,
	"wait_reply": nodeReply, "wait-for-reply": nodeReply, "waitReply": nodeReply, "waitForReply": nodeReply, "wait_for_reply": nodeReply,
	"split": nodeSplit, "random_split": nodeSplit, "ab_split": nodeSplit,
	"parallel": nodeParallel, "fork": nodeParallel,
	"goal": nodeGoal,
	"end":  nodeEnd, "exit": nodeEnd,
}

// actionAliases are the actions by every spelling (reference 3.7, 3.22).
var actionAliases = map[string]string{
	"send_whatsapp": actionSend, "add_tag": actionTag, "tag_lead": actionTag, "remove_tag": actionUntag,
	"move_stage": actionStage, "move_pipeline_stage": actionStage, "move_pipeline": actionPipeline,
	"assign_to": actionAssign, "assign_lead": actionAssign, "update_lead": actionUpdate, "create_task": actionTask,
	"webhook_notify": actionHTTP, "http_webhook": actionHTTP, "callback_client": actionHTTP, "webhook": actionHTTP, "http": actionHTTP, "http_request": actionHTTP,
	flowEmail: actionEmail,
}

// flowEmail is the action of flows that send e-mail. It can be written, so that a
// flow made elsewhere can be brought along, and fails when it is reached.
const flowEmail = "flow_send_email"

// absent says why a known node or action cannot be used.
var absent = map[string]string{
	"send_email":          "sending e-mail is not available in this version",
	"create_meeting":      "meetings are not available in this version",
	"generate_meet":       "meetings are not available in this version",
	"generate_ai_summary": "it needs an AI provider, which is not available in this version",
	"ai":                  "it needs an AI provider, which is not available in this version",
	"script":              "scripts are not available in this version",
}

const (
	knownNodes   = "trigger, condition, action, delay (wait), wait_event, wait_reply, split, parallel, goal, webhook (http), end (exit), or an action: " + knownActions
	knownActions = "send_whatsapp, add_tag (tag_lead), remove_tag, move_stage (move_pipeline_stage), move_pipeline, assign_to (assign_lead), update_lead, create_task, webhook_notify (http_webhook, callback_client)"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
