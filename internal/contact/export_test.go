package contact

// WordsOf is what a contact is found by, for tests.
func WordsOf(c Contact) []string { return wordsOf(c) }
