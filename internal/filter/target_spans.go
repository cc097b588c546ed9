package filter

// targetSpans are Spans of the fifth group: at most one of each kind of key, so
// that those of several filters of one field can be narrowed by each other. Filled
// has none: objects satisfy it, and they have no key.
func targetSpans(f *Filter) []Span {
	switch f.Op {
	case Equal:
		return envelope([]any{f.Value})
	case AnyOf:
		return envelope(f.List)
	case Filled:
		return nil
	case Holds, Begins, Ends, Wild:
		return []Span{{"t", "t" + beyond}}
	}
	b := boundOf(f.Op, f.Value)
	switch b.kind {
	case byNumber:
		return []Span{from(numKey(b.n), "n", b.low)}
	case byDate:
		return []Span{from("d"+sortable(uint64(b.n.i)+1<<63), "d", b.low)}
	}
	op := LessOrSame
	if b.low {
		op = MoreOrSame
	}
	return Spans(Filter{Op: op, Value: b.text})[:1]
}

func from(key, kind string, upwards bool) Span {
	if upwards {
		return Span{key, kind + beyond}
	}
	return Span{kind, key}
}

// envelope is from the least to the greatest key of some constants.
func envelope(values []any) []Span {
	var out []Span
	add := func(i int, key string) {
		if i == len(out) {
			out = append(out, Span{key, key})
		}
		out[i].Low, out[i].High = min(out[i].Low, key), max(out[i].High, key)
	}
	for _, v := range values {
		add(0, textKey(shown(v)))
	}
	for _, v := range values {
		if n, ok := written10(v); ok {
			add(1, numKey(n))
		}
	}
	return out
}
