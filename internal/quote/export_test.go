package quote

// Few sets how many contacts are asked for by name, and returns what it was.
func Few(n int) (was int) {
	was, few = few, n
	return was
}
