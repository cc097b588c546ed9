package interaction

// Few sets how many contacts or conversations are read one by one, and returns
// what it was.
func Few(n int) (was int) {
	was, few = few, n
	return was
}

// Kinds and TypeList are what the index must agree with.
func Kinds() []string { return types(nil) }

// TypeList is the list as queries spell it.
const TypeList = typeList

// TypesOf are the types that can have happened in some ways.
func TypesOf(vias ...string) []string { return types(vias) }

// TypeOf is the type of a note that says how it happened.
func TypeOf(via string) string { return typeOf[via] }

// OfChannel is the way of a channel.
func OfChannel(kind string) string { return ofChannel(kind) }
