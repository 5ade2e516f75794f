package kafka

import (
	"testing"
	"time"
)

// A long outage of many sources is told when it begins, then ever more seldom,
// and once when it is over.
func TestOutagesAreToldSeldom(t *testing.T) {
	var o outage
	now := time.Unix(0, 0)
	told := 0
	for tick := range 2 * 3600 * 5 { // two hours, five failures a second of each of two
		now = time.Unix(0, int64(tick)*int64(time.Second)/5)
		for _, source := range []string{"a", "b"} {
			if s, say := o.failed(source, now); say {
				told++
				if told == 1 && (s.lasted != 0 || s.failures != 1) {
					t.Errorf("it begins with %+v", s)
				}
			}
		}
	}
	if told < 10 || told > 25 {
		t.Errorf("it was told %d times in two hours", told)
	}
	if _, over := o.worked("a", now); over {
		t.Error("it is over, and one still fails")
	}
	if s, over := o.worked("b", now); !over || s.failures != 2*2*3600*5 || s.lasted < 2*time.Hour-time.Second {
		t.Errorf("%v, %+v", over, s)
	}
	if _, over := o.worked("b", now); over {
		t.Error("it is over twice")
	}
	if _, say := o.failed("a", now); !say {
		t.Error("the next outage is not told")
	}
}

// A source that is given up ends no outage, and holds none up.
func TestWhatIsGivenUpEndsNoOutage(t *testing.T) {
	var o outage
	now := time.Unix(0, 0)
	o.failed("partition", now)
	o.gone("partition")
	if _, say := o.failed("join", now); say {
		t.Error("one outage is told as two")
	}
	o.failed("partition", now)
	o.gone("partition")
	if _, over := o.worked("join", now); !over {
		t.Error("it does not end")
	}
}
