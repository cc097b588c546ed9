package contact

// WordsOf is what a contact is found by, for tests.
func WordsOf(c Contact) []string { return wordsOf(c) }

// AttributesOf are the entries of the index of attributes, name and key.
func AttributesOf(open map[string]any) (out [][2]string) {
	for _, a := range attributesOf(open) {
		out = append(out, [2]string{a.name, a.key})
	}
	return out
}
