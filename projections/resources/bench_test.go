package resources_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/resources"
)

// life writes resources of about 1 KB, each created and then updated, the
// updates spread over the whole log.
func life(b *testing.B, things, updates int) *projectionstest.Log {
	b.Helper()
	codec, log := newCodec(b), projectionstest.NewLog()
	body := strings.Repeat("the quick brown fox jumps over the lazy dog ", 20)
	for i := range things {
		text := fmt.Sprintf("%q", fmt.Sprintf("page %d: %s", i, body))
		log.Write(b, codec, domain.Stream("page", fmt.Sprintf("page_%06d", i)), projectionstest.Meta("ws_1", i),
			domain.KindFact{Kind: "page", Verb: domain.VerbCreated, Doc: domain.Doc{
				"name": fmt.Appendf(nil, `"page %d"`, i), "text": []byte(text), "size": fmt.Append(nil, i%100), "status": []byte(`"draft"`)}})
	}
	for i := range updates {
		log.Write(b, codec, domain.Stream("page", fmt.Sprintf("page_%06d", i*7919%things)), projectionstest.Meta("ws_1", i),
			domain.KindFact{Kind: "page", Verb: domain.VerbUpdated, Doc: domain.Doc{"size": fmt.Append(nil, i)}})
	}
	return log
}

// BenchmarkRebuild folds resources of 1 KB and four updates of each, with
// indexes and search built afterwards.
func BenchmarkRebuild(b *testing.B) {
	const things, updates = 10_000, 40_000
	log, codec := life(b, things, updates), newCodec(b)
	b.ResetTimer()
	before := cpu(b)
	for b.Loop() {
		done, err := projections.Rebuild(b.Context(), log, codec, resources.New(specs), filepath.Join(b.TempDir(), "x.db"))
		if err != nil || done.Events != things+updates {
			b.Fatal(done, err)
		}
	}
	b.ReportMetric(float64((things+updates)*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((things+updates)*b.N)/(cpu(b)-before).Seconds(), "events/cpu-s") // holds on a busy machine too
}

// cpu is the time the process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReadYourWrites is the time from an event's place in the log to its
// row being readable.
func BenchmarkReadYourWrites(b *testing.B) {
	w := newWorld(b)
	w.given("ws_1/page/page_1", domain.VerbCreated, `{"name":"n"}`)
	w.settle()
	i := 0
	for b.Loop() {
		i++
		at := w.log.Write(b, w.codec, domain.Stream("page", "page_1"), projectionstest.Meta("ws_1", i),
			domain.KindFact{Kind: "page", Verb: domain.VerbUpdated, Doc: domain.Doc{"size": fmt.Append(nil, i)}})
		if lag, err := w.runner.Wait(b.Context(), resources.Name, at); lag > 0 || err != nil {
			b.Fatal(lag, err)
		}
	}
}

func BenchmarkQueries(b *testing.B) {
	const things = 20_000
	log := life(b, things, 0)
	r := projectionstest.Start(b, log, newCodec(b), resources.New(specs))
	projectionstest.WaitFor(b, r, log, resources.Name)
	db, err := r.Reader(resources.Name)
	if err != nil {
		b.Fatal(err)
	}
	q, ctx := resources.NewQueries(db, specs), context.Background()
	b.Run("get/hot", func(b *testing.B) {
		for b.Loop() {
			if _, err := q.Get(ctx, "page", "ws_1", "page_000007"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get/cold", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := q.Get(ctx, "page", "ws_1", fmt.Sprintf("page_%06d", i*7919%things)); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	for name, ask := range map[string]resources.Query{
		"list/default":       {Page: query.Page{Desc: true}},
		"list/status":        {Filters: map[string]string{"status": "draft"}, Page: query.Page{Desc: true}},
		"list/rare filter":   {Filters: map[string]string{"size": "57"}, Page: query.Page{Desc: true}},
		"list/sort by field": {Page: query.Page{Sort: "size"}},
		"search/rare word":   {Search: "777"},
		"search/common word": {Search: "fox", Page: query.Page{Desc: true}},
	} {
		ask.Kind, ask.Workspace = "page", "ws_1"
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := q.List(ctx, ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
