package clock

import (
	"testing"
	"time"
)

func TestFakeWakesInTime(t *testing.T) {
	f := NewFake(time.Date(2026, 1, 2, 3, 4, 5, 6_700_000, time.UTC))
	if got := f.Now().Nanosecond(); got != 6_000_000 {
		t.Fatalf("Now has %d ns, want whole milliseconds", got)
	}
	early, _ := f.After(time.Second)
	late, _ := f.After(time.Minute)
	stopped, stop := f.After(time.Second)
	stop()
	f.Advance(time.Second)
	select {
	case <-early:
	default:
		t.Fatal("the one-second timer did not fire")
	}
	select {
	case <-late:
		t.Fatal("the one-minute timer fired early")
	case <-stopped:
		t.Fatal("a stopped timer fired")
	default:
	}
	f.Advance(time.Hour)
	if at := <-late; !at.Equal(f.Now()) {
		t.Fatalf("woken at %s, clock at %s", at, f.Now())
	}
	now, _ := f.After(0)
	<-now
}
