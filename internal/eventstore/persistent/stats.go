package persistent

import (
	"slices"
	"time"
)

// window is the number of latest latencies that are kept.
const window = 1000

// stats count answers.
type stats struct {
	since   time.Time // when counting began
	total   int64
	extra   bool
	began   time.Time // of the second that is being counted
	current int64     // in it
	last    int64     // in the second before it
	lasting []time.Duration
	next    int
}

func (s *stats) add(now time.Time, took time.Duration) {
	s.roll(now)
	s.total++
	s.current++
	if !s.extra {
		return
	}
	if len(s.lasting) < window {
		s.lasting = append(s.lasting, took)
		return
	}
	s.lasting[s.next] = took
	s.next = (s.next + 1) % window
}

// roll begins a new second when the current one is over.
func (s *stats) roll(now time.Time) {
	switch gone := now.Sub(s.began); {
	case gone < time.Second:
	case gone < 2*time.Second:
		s.began, s.last, s.current = s.began.Add(time.Second), s.current, 0
	default:
		s.began, s.last, s.current = now, 0, 0
	}
}

// Measurement is one named figure in milliseconds.
type Measurement struct {
	Name  string
	Value int64
}

// measurements summarize how long answers took.
func (s *stats) measurements() []Measurement {
	n := len(s.lasting)
	if n == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(s.lasting))
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	at := func(name string, per1000 int) Measurement {
		return Measurement{name, sorted[min(n-1, n*per1000/1000)].Milliseconds()}
	}
	return []Measurement{
		{"Mean", (sum / time.Duration(n)).Milliseconds()}, at("Median", 500), at("Fastest", 0),
		at("Quintile 1", 200), at("Quintile 2", 400), at("Quintile 3", 600), at("Quintile 4", 800), at("Quintile 5", 1000),
		at("90%", 900), at("95%", 950), at("99%", 990), at("99.5%", 995), at("99.9%", 999), at("Highest", 1000),
	}
}
