package fold_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/projections/fold"
)

type fact struct{}

func (fact) EventType() string { return "thing.happened.v1" }

func TestStreams(t *testing.T) {
	var did []string
	run := func(fail string) error {
		did = nil
		step := func(what string) error {
			did = append(did, what)
			if what == fail {
				return errors.New("failed")
			}
			return nil
		}
		var events []domain.Event
		for i, s := range []domain.StreamID{"thing-b", "thing-a", "thing-b"} {
			events = append(events, domain.Event{Stream: s, Position: domain.Position(i + 1), Fact: fact{}})
		}
		return fold.Streams(events,
			func(e domain.Event) (string, error) { return e.Stream.Key(), step("load " + e.Stream.Key()) },
			func(r string, _ domain.Event) error { return step("apply " + r) },
			func(r string) error { return step("store " + r) })
	}
	want := []string{"load b", "apply b", "load a", "apply a", "apply b", "store b", "store a"}
	if err := run(""); err != nil || !slices.Equal(did, want) {
		t.Errorf("did %v, %v", did, err)
	}
	for fail, stream := range map[string]string{"load b": "thing-b", "apply a": "thing-a: event 2", "store a": "thing-a"} {
		if err := run(fail); err == nil || !strings.HasPrefix(err.Error(), stream) || did[len(did)-1] != fail {
			t.Errorf("after failing to %s: did %v, %v", fail, did, err)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)} {
		var got time.Time
		if err := (fold.At{Into: &got}).Scan(fold.Micros(at)); err != nil || got != at {
			t.Errorf("%v became %v, %v", at, got, err)
		}
	}
	for _, doc := range []domain.Doc{nil, {}, {"a": []byte(`[1,"x"]`)}} {
		text, err := fold.JSON(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range []any{text, []byte(text)} {
			got := domain.Doc{"left": []byte("over")}
			if text != "" {
				got = nil
			}
			if err := (fold.Doc{Into: &got}).Scan(column); err != nil || !reflect.DeepEqual(got, doc) {
				t.Errorf("%v became %v, %v", doc, got, err)
			}
		}
	}
	if (fold.At{Into: new(time.Time)}).Scan("x") == nil || (fold.Doc{Into: new(domain.Doc)}).Scan(1) == nil {
		t.Error("a column of the wrong type was read")
	}
}
