// Package isolation proves, route by route, that nobody reaches what is not
// theirs and that hostile input stores nothing. The routes come from the faces'
// own tables, so a new route is tested or fails for want of a sample. It holds
// tests only.
package isolation
