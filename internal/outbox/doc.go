// Package outbox owns the one gate through which a message leaves: consent,
// reply window, pace, channel.Send, and the record of what became of it. It
// drains the ledger (package outbox/ledger), one lane per channel account. The
// server adds it to the lanes; conversation promises the messages; operators
// list and settle the attempts whose outcome is unknown.
//
// # An attempt
//
// Claim takes the first due row of each conversation that has nothing under way,
// checks consent and window once more in that transaction (whoever opts out
// before it commits gets nothing), and writes the intent: state sending, the
// attempt's number, a lease. Only then is channel.Send called, outside of any
// transaction. One transaction records the outcome, fenced by the attempt.
//
// # What nobody knows
//
// A crash, a lost answer or an unclear error leaves an attempt that may have
// been sent. Its row becomes unknown; the message stays queued and carries the
// error "outcome unknown". A receipt that names our id settles it at any time.
// Where the provider dedupes by our id (channel.UnknownResend) the row is sent
// again: at once when receipts cannot tell, else after a settling time. For
// every other channel it stays listed (Unknown) until a receipt comes or an
// operator decides (Retry, Cancel); it is never sent twice by itself.
//
// An unknown row does not keep later messages of its conversation waiting: it
// may stay unknown for days, and the person should not hear nothing for that
// long. Order is kept among the messages that are queued or being sent.
//
// # Files
//
// A message with a file of ours waits, still queued, until the provider has the
// file: the upload is a piece of work of its own, before the intent, and what it
// brought is kept with the file and the account. So a crash repeats an upload,
// which nobody sees, and never a message; and a file that a thousand messages
// carry is uploaded once.
//
// # Pace
//
// A token bucket per account, in the memory of the node that holds the lane,
// keeps to Capabilities.PerSecond. The rule per person (PairGap, PairBurst) is
// computed from the attempts in the ledger. A pause of a whole account is kept
// with the account, so that it survives a restart and holds on every node.
package outbox
