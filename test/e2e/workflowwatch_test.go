//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"strata/test/kit"
)

// wentOn writes down what the frames of a run's stream say.
func wentOn(frames []kit.Frame) string {
	var out []string
	for _, f := range frames {
		what := fmt.Sprint(f.JSON["type"])
		if step, is := f.JSON["step"].(object); is {
			what = fmt.Sprint(step["nodeId"], " ", step["status"])
			if step["waitsFor"] != nil {
				what += fmt.Sprint(" for ", step["waitsFor"])
			}
		}
		out = append(out, what)
	}
	return strings.Join(out, ", ")
}

// A run is followed from its start, also by who comes late; who was cut off goes on
// after the last frame that they have seen, and nothing is told twice.
func TestWorkflowRunsAreWatched(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/workflows", object{"name": "watched", "nodes": []object{
		node("ask", "llm", object{"prompt": "Context: Tea is a hot drink. Question: What is tea?"}), node("approve", "human", nil),
		node("yes", "transform", object{"expression": "1"}), node("no", "transform", object{"expression": "2"})},
		"edges": []object{edge("ask", "approve"), edge("approve", "yes", "approved"), edge("approve", "no", "rejected")}})
	run := c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/watched/run", object{"inputs": object{}}).Str("invocation_id")
	path := "/api/v1/workflows/watched/executions/" + run + "/stream"
	open := func(headers ...string) *kit.Stream {
		t.Helper()
		s, err := c.OpenStream(t.Context(), "GET", path, nil, headers...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	first := open()
	var before []kit.Frame
	for !strings.HasSuffix(wentOn(before), "approve running for human") {
		f, err := first.Next()
		if err != nil {
			t.Fatal(wentOn(before), err)
		}
		before = append(before, f)
	}
	first.Close() // cut off
	if got := wentOn(before); got != "start, ask running, ask completed, token, approve running for human" {
		t.Errorf("told %s", got)
	}
	second := open("Last-Event-ID", before[len(before)-1].ID)
	c.Do(t, http.StatusOK, "POST", "/v1/workflows/watched/invocations/"+run+"/resume", object{"node_id": "approve"})
	rest, err := second.All()
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	const after = "approve completed, yes completed, no skipped, end"
	if got := wentOn(rest); got != "start, "+after {
		t.Errorf("afterwards told %s", got)
	}
	end := rest[len(rest)-1]
	if end.ID == "" || end.JSON["status"] != "completed" || fmt.Sprint(end.JSON["outputs"]) != "map[yes:1]" {
		t.Errorf("the end is %+v", end)
	}
	all, err := open().All()
	if got := wentOn(all); err != nil || got != wentOn(before)+", "+after {
		t.Errorf("who comes late is told %s, %v", got, err)
	}
	none, err := open("Last-Event-ID", end.ID).All()
	if got := wentOn(none); err != nil || got != "start, end" {
		t.Errorf("who has seen all is told %s, %v", got, err)
	}
	c.Do(t, http.StatusBadRequest, "GET", path+"?lastEventId=soon", nil).Want("error.details.0.field", "last_event_id")
	onShared(t).Do(t, http.StatusNotFound, "GET", path, nil)
}
