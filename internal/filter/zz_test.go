package filter
import ("testing";"math/rand/v2";"syscall";"time";"fmt")
func cpu() time.Duration { var u syscall.Rusage; syscall.Getrusage(1, &u); return time.Duration(u.Utime.Nano()) }
func TestZZ(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := NewIndex[int]()
	var list []*Matcher
	for i := range 10_000 { f := realistic(r); m, _ := Compile(f); x.Put(i, f); list = append(list, m) }
	docs := make([]any, 100)
	for i := range docs { docs[i] = realisticDoc(r) }
	checked, sure, ok := 0,0,0
	for _, d := range docs { 
		m := x.matching(d); turn := m.turn
		x.scratch.Put(m); x.Match(d)
		for i, s := range m.seen { if s == turn+1 { if x.entries[i].sure { sure++ } else { checked++; if x.entries[i].root.match(timeless, d) { ok++ } } } }
	}
	fmt.Println("asked", len(x.asked), "checked", checked/100, "of which match", ok/100, "sure", sure/100)
	a := cpu(); for range 20 { for _, d := range docs { x.Match(d) } }; fmt.Println("index", (cpu()-a)/2000)
	a = cpu(); for range 3 { for _, d := range docs { for _, m := range list { m.Match(d) } } }; fmt.Println("walk", (cpu()-a)/300)
}
