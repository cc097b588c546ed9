package fault

// Renamed gives the fields of a fault the names that they have elsewhere, such as
// on the wire of an API. Other errors stay what they are.
func Renamed(err error, names map[string]string) error {
	f := As(err)
	if f == nil {
		return err
	}
	c := *f
	if n, ok := names[f.Field]; ok {
		c.Field = n
	}
	c.Fields = nil
	for _, e := range f.Fields {
		c.Fields = append(c.Fields, As(Renamed(e, names)))
	}
	return &c
}
