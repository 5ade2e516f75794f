package events_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/projections"
	"strata/projections/events"
	"strata/projections/projectionstest"
	"strata/streams"
)

// twoChains is a world in which odd positions are of ws_1, even ones of ws_2.
func twoChains(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for i := range 20 {
		w.given(fmt.Sprintf("ws_%d", 1+i%2), fmt.Sprintf("app-app_%d", i), fact{Type: "app.created.v1"})
	}
	w.settle()
	return w
}

func (w *world) verify(chain string) events.Verification {
	w.Helper()
	v, err := w.Verify(w.Context(), chain, time.Time{}, time.Time{})
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// idAt is the id of the event at a position of the log.
func (w *world) idAt(at domain.Position) string {
	w.Helper()
	for r, err := range w.log.ReadAll(w.Context(), streams.ReadAll{After: at - 1, Limit: 1}) {
		if err != nil {
			w.Fatal(err)
		}
		return domain.FormatID("evt", r.ID)
	}
	return ""
}

func (w *world) tamper(statement string) {
	w.Helper()
	change(w.TB.(*testing.T), w.file(), statement)
}

// file is where the model's rows are.
func (w *world) file() string { return filepath.Join(w.dir, projections.FileName(events.New(facts()))) }

// columnsOf lists the columns of a table of the model.
func (w *world) columnsOf(table string) []string {
	w.Helper()
	db, err := sqlite.Open(w.Context(), w.file(), sqlite.Options{})
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(w.Context(), "SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.Fatal(err)
		}
		out = append(out, name)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		w.Fatal(out, err)
	}
	return out
}

func TestVerifyWhole(t *testing.T) {
	w := twoChains(t)
	for _, chain := range []string{"ws_1", "ws_2"} {
		if v := w.verify(chain); v.Broken != nil || v.Checked != 10 || len(v.Head.String()) != 64 || v.Position != 20 {
			t.Errorf("%s: %+v", chain, v)
		}
	}
	if v := w.verify("ws_none"); v.Broken != nil || v.Checked != 0 || v.Head.String() != "" {
		t.Errorf("a chain without entries: %+v", v)
	}
	second := func(n int) time.Time { return projectionstest.Meta("", n).OccurredAt }
	for _, c := range []struct {
		since, until time.Time
		checked      int
	}{{second(7), time.Time{}, 7}, {time.Time{}, second(7), 3}, {second(7), second(11), 2}, {second(50), time.Time{}, 0}, {time.Time{}, second(0), 0}} {
		v, err := w.Verify(t.Context(), "ws_1", c.since, c.until)
		if err != nil || v.Broken != nil || v.Checked != c.checked {
			t.Errorf("from %s to %s: %+v, %v", c.since, c.until, v, err)
		}
	}
}

// Every column of every entry counts.
func TestVerifyFindsEveryColumn(t *testing.T) {
	for _, value := range []string{"'tampered'", "12345", "x'00ff'"} {
		w := twoChains(t)
		for _, column := range w.columnsOf("events") {
			if column == "position" && value != "12345" { // the database itself refuses others
				continue
			}
			at := domain.Position(5)
			var was any
			w.inDB(func(tx *sqlite.Tx) error {
				return tx.QueryRow(t.Context(), "SELECT "+column+" FROM events WHERE position = 5").Scan(&was)
			})
			w.tamper("UPDATE events SET " + column + " = " + value + " WHERE position = 5")
			v := w.verify("ws_1")
			if v.Broken == nil || v.Broken.ID != w.idAt(at) || v.Broken.Position != at || v.Checked != 2 || v.Broken.Detail == "" {
				t.Errorf("%s = %s: %+v %+v", column, value, v, v.Broken)
			}
			if other := w.verify("ws_2"); other.Broken != nil && column != "chain" {
				t.Errorf("%s = %s broke another chain: %+v", column, value, other.Broken)
			}
			w.inDB(func(tx *sqlite.Tx) error {
				_, err := tx.Exec(t.Context(), "UPDATE events SET "+column+" = ? WHERE position IN (5, 12345)", was)
				return err
			})
			if v := w.verify("ws_1"); v.Broken != nil {
				t.Fatalf("put right again: %+v", v.Broken)
			}
		}
		for _, column := range w.columnsOf("event_chains") {
			w := twoChains(t)
			w.tamper("UPDATE event_chains SET " + column + " = 17 WHERE chain = 'ws_1'")
			if v := w.verify("ws_1"); v.Broken == nil || v.Broken.Reason != events.EndCut {
				t.Errorf("the chain's %s was changed: %+v", column, v.Broken)
			}
		}
	}
}

func (w *world) inDB(f func(tx *sqlite.Tx) error) {
	w.Helper()
	db, err := sqlite.Open(w.Context(), w.file(), sqlite.Options{})
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(w.Context(), f); err != nil {
		w.Fatal(err)
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	const insert = `INSERT INTO events SELECT 6000, 'evt_forged', type, stream, subject, revision, workspace, organization, actor, request_id,
		correlation_id, occurred_at, chain, content, prev_hash, hash FROM events WHERE position = 19`
	for name, c := range map[string]struct {
		tamper string
		at     domain.Position
		reason events.Reason
	}{
		"removed":                     {"DELETE FROM events WHERE position = 5", 5, events.Missing},
		"the first removed":           {"DELETE FROM events WHERE position = 1", 1, events.Missing},
		"all removed":                 {"DELETE FROM events; DELETE FROM event_chains", 1, events.Missing},
		"cut at the end":              {"DELETE FROM events WHERE position > 14", 15, events.Missing},
		"cut at the end, made to fit": {cut, 15, events.Missing},
		"swapped": {`UPDATE events SET position = -5 WHERE position = 5; UPDATE events SET position = 5 WHERE position = 7;
			UPDATE events SET position = 7 WHERE position = -5`, 5, events.Altered},
		"moved behind the end":    {"UPDATE events SET position = 5000 WHERE position = 5", 5, events.Missing},
		"put in between":          {"UPDATE events SET chain = 'ws_1', workspace = 'ws_1' WHERE position = 6", 6, events.Unknown},
		"put in at the end":       {"UPDATE strata_checkpoint SET position = 7000; " + insert, 6000, events.Unknown},
		"the link changed":        {"UPDATE events SET prev_hash = hash WHERE position = 5", 5, events.Moved},
		"links exchanged":         {"UPDATE events SET prev_hash = (SELECT prev_hash FROM events WHERE position = 9) WHERE position = 7", 7, events.Moved},
		"another event's content": {"UPDATE events SET content = (SELECT content FROM events WHERE position = 7) WHERE position = 5", 5, events.Altered},
		"only the end":            {"UPDATE event_chains SET hash = zeroblob(32) WHERE chain = 'ws_1'", 19, events.EndCut},
		"the count":               {"UPDATE event_chains SET events = 9 WHERE chain = 'ws_1'", 19, events.EndCut},
	} {
		t.Run(name, func(t *testing.T) {
			w := twoChains(t)
			w.tamper(c.tamper)
			v := w.verify("ws_1")
			if v.Broken == nil || v.Broken.Position != c.at || v.Broken.Reason != c.reason {
				t.Fatalf("%+v %+v", v, v.Broken)
			}
			if c.reason == events.Missing && v.Broken.ID != w.idAt(c.at) {
				t.Errorf("%+v is not named as in the log", v.Broken)
			}
		})
	}
}

// cut takes the end away and makes the rest look as if it had always ended there.
const cut = `DELETE FROM events WHERE position > 14;
	UPDATE event_chains SET hash = (SELECT hash FROM events WHERE position = 13), events = 7, position = 13 WHERE chain = 'ws_1'`

// forgetting is a log that has removed a stream; told says that somebody
// deleted it before.
type forgetting struct {
	streams.Store
	gone domain.StreamID
	told bool
}

func (f *forgetting) ReadAll(ctx context.Context, r streams.ReadAll) iter.Seq2[streams.Recorded, error] {
	return func(yield func(streams.Recorded, error) bool) {
		for e, err := range f.Store.ReadAll(ctx, r) {
			if e.Stream != f.gone && !yield(e, err) {
				return
			}
		}
	}
}

func (f *forgetting) ReadStream(ctx context.Context, s domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	if s != f.gone && s != "$$"+f.gone {
		return f.Store.ReadStream(ctx, s, r)
	}
	return func(yield func(streams.Recorded, error) bool) {
		if s == f.gone || !f.told {
			yield(streams.Recorded{}, streams.ErrStreamNotFound)
			return
		}
		yield(streams.Recorded{Stream: s, Proposed: streams.Proposed{Type: streams.TypeMetadata}}, nil)
	}
}

// What the log was told to forget stays in the trail, and the trail stays right.
func TestVerifyAfterTheLogForgot(t *testing.T) {
	w := twoChains(t)
	db, err := w.runner.Reader(events.Name)
	if err != nil {
		t.Fatal(err)
	}
	log := &forgetting{Store: w.log, gone: "app-app_4"}
	r := events.NewReader(db, log, w.codec, nil)
	if v, err := r.Verify(t.Context(), "ws_1", time.Time{}, time.Time{}); err != nil || v.Broken == nil || v.Broken.Reason != events.Unknown {
		t.Errorf("an event vanished by itself: %+v, %v", v.Broken, err)
	}
	log.told = true
	if v, err := r.Verify(t.Context(), "ws_1", time.Time{}, time.Time{}); err != nil || v.Broken != nil || v.Gone != 1 || v.Checked != 10 {
		t.Errorf("a deleted stream was removed: %+v %+v, %v", v, v.Broken, err)
	}
}

func TestErasureLeavesTheChain(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.given("ws_1", fmt.Sprintf("session-ses_%d", i), private{Subject: "user_9", Text: "dear diary"})
	}
	w.settle()
	before := w.verify("ws_1")
	w.keys.erased = true
	if after := w.verify("ws_1"); after.Broken != nil || after != before {
		t.Errorf("%+v before, %+v after", before, after)
	}
	projectionstest.CheckRebuild(t, w.codec, events.New(facts()), w.log)
}
