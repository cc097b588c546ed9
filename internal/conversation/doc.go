// Package conversation owns conversations, their messages and the message
// templates: what came in, what goes out, who has read it, and whether a free
// reply is still allowed. Faces and automations send through it; the webhook
// entry hands it what providers deliver; outbox reports to it what became of a
// message.
//
// A message is promised by SendIn: message and outbox row are one transaction.
// Receive takes a provider's batch in one transaction and may see it any number
// of times, in any order: a provider's message is stored once (a unique index
// decides), a status only moves forward (read over delivered over failed over
// sent over queued, platform reference §4.9), and the history holds each status
// once.
//
// # Locks
//
// Transactions take contacts before conversations before messages before
// outbox rows, so that they cannot wait for each other in a circle.
package conversation
