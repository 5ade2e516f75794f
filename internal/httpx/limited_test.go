package httpx

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type valueKey struct{}

func startLimited(parent context.Context, length time.Duration) *limited {
	c := &limited{}
	c.begin(parent, &exchange{}, length)
	return c
}

func TestLimitedEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := startLimited(t.Context(), time.Second)
		if until, ok := c.Deadline(); !ok || !until.Equal(began.Add(time.Second)) {
			t.Errorf("the deadline is %v, %v", until, ok)
		}
		<-time.NewTimer(600 * time.Millisecond).C // of the bubble's clock; asked late, it still ends when it should
		if err := c.Err(); err != nil {
			t.Errorf("too early: %v", err)
		}
		<-c.Done()
		if took := time.Since(began); took != time.Second {
			t.Errorf("ended after %v", took)
		}
		if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(c), context.DeadlineExceeded) {
			t.Errorf("err %v, cause %v", c.Err(), context.Cause(c))
		}
		late := startLimited(t.Context(), time.Second)
		<-time.NewTimer(2 * time.Second).C
		if !errors.Is(context.Cause(late), context.DeadlineExceeded) { // the first who asks asks too late
			t.Errorf("cause %v", context.Cause(late))
		}
		c.end()
		late.end()
	})
}

func TestLimitedIsCancelledByItsEnd(t *testing.T) {
	for _, asked := range []bool{false, true} {
		c := startLimited(t.Context(), time.Hour)
		if asked && c.Err() != nil {
			t.Error("ended before its end")
		}
		c.end()
		<-c.Done()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("asked before %v: %v", asked, c.Err())
		}
		c.end() // twice does nothing
	}
	(&limited{}).end() // nor does one that never began
}

func TestLimitedFollowsItsParent(t *testing.T) {
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), valueKey{}, "v"), time.Minute)
	c := startLimited(parent, time.Hour)
	defer c.end()
	want, _ := parent.Deadline()
	if until, ok := c.Deadline(); !ok || !until.Equal(want) {
		t.Errorf("deadline %v, want the parent's %v", until, want)
	}
	if c.Value(valueKey{}) != "v" || exchangeOf(c) != c.x {
		t.Error("values are lost")
	}
	child, stop := context.WithCancel(c)
	defer stop()
	cancel()
	<-child.Done()
	if !errors.Is(c.Err(), context.Canceled) || exchangeOf(child) != c.x {
		t.Errorf("err %v", c.Err())
	}
}

func TestLimitedEndsItsChildren(t *testing.T) {
	c := startLimited(t.Context(), time.Hour)
	child, stop := context.WithCancel(context.WithValue(c, valueKey{}, 1))
	defer stop()
	called := make(chan struct{})
	context.AfterFunc(c, func() { close(called) })
	c.end()
	<-child.Done()
	<-called
}
