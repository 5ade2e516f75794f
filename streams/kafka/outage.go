package kafka

import (
	"fmt"
	"sync"
	"time"
)

// How often a lasting outage is told again: after the first pause, then after
// pauses twice as long, at last of the longest.
const (
	firstReminder = 10 * time.Second
	lastReminder  = 10 * time.Minute
)

// outage is the time from a first failure until nothing fails any more. What can
// fail, reading a partition, joining a group, are its sources: when a broker
// goes away all of them fail, many times a second, and one line tells it.
type outage struct {
	mu       sync.Mutex
	sources  map[string]bool // what fails now
	failures int             // 0: all is well
	began    time.Time
	remind   time.Time // when it is told again
	pause    time.Duration
}

// state is an outage when it is told.
type state struct {
	lasted   time.Duration
	failures int
}

// failed notes that a source failed, and tells whether that is to be said.
func (o *outage) failed(source string, now time.Time) (s state, say bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failures == 0 {
		o.sources, o.began, o.remind, o.pause = map[string]bool{}, now, now, firstReminder
	}
	o.sources[source] = true
	o.failures++
	if say = !now.Before(o.remind); say {
		o.remind = now.Add(o.pause)
		o.pause = min(2*o.pause, lastReminder)
	}
	return state{now.Sub(o.began), o.failures}, say
}

// worked notes that a source succeeded, and tells whether that was the end of an
// outage.
func (o *outage) worked(source string, now time.Time) (s state, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sources, source)
	if o.failures == 0 || len(o.sources) > 0 {
		return state{}, false
	}
	s = state{now.Sub(o.began), o.failures}
	o.failures = 0
	return s, true
}

// gone takes out a source that will not be tried again. That ends no outage:
// whoever takes its place must succeed.
func (o *outage) gone(source string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sources, source)
}

// lasts tells whether something fails.
func (o *outage) lasts() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failures > 0
}

// joining is the source that is not one of a partition.
const joining = "subscribe"

// source names what is done with a partition.
func source(partition int, what string) string {
	return fmt.Sprintf("partition %d: %s", partition, what)
}

// failing tells of a failure: every one to who is told, few to the log.
func (d *subscription) failing(source string, err error) {
	err = fmt.Errorf("%s: %w", source, err)
	d.cfg.Failing(err)
	if s, say := d.outage.failed(source, time.Now()); say {
		d.cfg.Logger.Warn("subscription cannot receive", "topic", d.topic, "group", d.cfg.Group, "error", err, "failures", s.failures, "for", s.lasted.Round(time.Millisecond))
	}
}

// worked tells that what may have failed before does not.
func (d *subscription) worked(source string) {
	if s, over := d.outage.worked(source, time.Now()); over {
		d.cfg.Failing(nil)
		d.cfg.Logger.Info("subscription receives again", "topic", d.topic, "group", d.cfg.Group, "failures", s.failures, "after", s.lasted.Round(time.Millisecond))
	}
}
