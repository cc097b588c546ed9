// Package media owns the files of messages: those that agents upload and those
// that contacts send. Conversation names them in its messages, outbox hands them
// to providers, faces serve them by links.
//
// # Where the bytes lie
//
// In the database, cut into chunks (docs/decisions/0016). There is no second
// place to back up, to restore or to copy to a replica, and a file commits by
// the same rules as the message that names it. Files are streamed in both
// directions: no more than a chunk of one is in memory.
//
// # Life of a file
//
// writing: the chunks come in, a transaction each. ready: the last one is there,
// and size and SHA-256 are known; it never changes again. A file that no message
// names a day after it was uploaded is deleted, and so is one that was never
// finished, an hour after its last chunk. A file lives as long as a message
// names it.
//
// # Links
//
// A link is a capability: it names the file and a moment until which it is good,
// and carries a MAC of both. Whoever has it may read that one file, so that an
// <img> needs no key. It reveals nothing else, and a wrong one is
// indistinguishable from an unknown one.
package media
