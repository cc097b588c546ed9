package entity

// Narrowness sets where the ways of finding what matches part, so that tests go all
// of them over a few rows.
func (s *Service) Narrowness(few, many, large int) { s.bounds = bounds{few, many, large} }

// Usual makes it as it is otherwise.
func (s *Service) Usual() { s.bounds = usual }
