package trainer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/commands/trainer"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/claim"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/internal/tabular"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/trainings"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is long enough for any machine; nothing waits for it to pass.
const deadline = 60 * time.Second

// world is a trainer over a real log and a real read model.
type world struct {
	*testing.T
	store   *embedded.Log
	codec   *streams.Codec
	h       *commands.Handler
	res     *commands.Resources
	queries *trainings.Queries
	tables  *tables
	queue   *queue
	config  trainer.Config
}

type queue struct {
	q       *trainings.Queries
	changed chan struct{}
}

func (q *queue) OpenTrainings(ctx context.Context) ([]trainer.Open, error) {
	return converted(q.q.OpenTrainings(ctx))
}

func (q *queue) OpenEvaluations(ctx context.Context) ([]trainer.Open, error) {
	return converted(q.q.OpenEvaluations(ctx))
}

func (q *queue) Changed() <-chan struct{} { return q.changed }

func converted(list []trainings.Open, err error) ([]trainer.Open, error) {
	out := make([]trainer.Open, len(list))
	for i, o := range list {
		out[i] = trainer.Open(o)
	}
	return out, err
}

type nobody struct{}

func (nobody) Seal(plain string) (string, error) { return plain, nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(catalogue.FactTypes(), claim.Aggregate.Facts, training.FactTypes(), training.Models.Facts, evaluation.FactTypes()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 8 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{T: t, store: store, codec: codec, tables: &tables{files: map[string]string{}}}
	w.h = commands.New(commands.Config{Store: store, Codec: codec})
	w.res = commands.NewResources(w.h, nobody{}, catalogue.All())
	runner, err := projections.Open(t.Context(), projections.Config{Dir: t.TempDir(), Store: store, Codec: codec, NoSync: true}, trainings.Model{})
	if err != nil {
		t.Fatal(err)
	}
	w.queue = &queue{changed: make(chan struct{}, 1)}
	runner.OnCommit(func(string, []domain.Event) {
		select {
		case w.queue.changed <- struct{}{}:
		default:
		}
	})
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runner.Stop() })
	db, err := runner.Reader(trainings.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.queries = trainings.NewQueries(db)
	w.queue.q = w.queries
	w.config = trainer.Config{Handler: w.h, Resources: w.res, Queue: w.queue, Tables: w.tables, Backoff: time.Millisecond}
	return w
}

// start runs a service until the test ends, or until what it returns is called,
// which returns when nothing of it runs any more. What is to be done between the
// end of its context and that comes after.
func (w *world) start(cfg trainer.Config, after ...func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = trainer.New(cfg).Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		for _, f := range after {
			f()
		}
		done.Wait()
	})
	w.Cleanup(stop)
	return stop
}

func principal() domain.Principal {
	meta := projectionstest.Meta("ws_1", 1)
	return domain.Principal{Actor: "user_ann", Organization: meta.Organization, Workspace: "ws_1", Permissions: map[string]bool{"*": true}}
}

// tables are files by key, of any connector.
type tables struct {
	mu     sync.Mutex
	files  map[string]string
	faults []error // of the next openings
	opened int
}

func (t *tables) put(key, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files[key] = text
}

func (t *tables) Files(_ context.Context, _ domain.Principal, connector string) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []string
	for key := range t.files {
		if strings.HasPrefix(key, connector+"/") {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (t *tables) Open(ctx context.Context, _ domain.Principal, _, key string) (tabular.Reader, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	if len(t.faults) > 0 {
		err := t.faults[0]
		t.faults = t.faults[1:]
		return nil, err
	}
	text, ok := t.files[key]
	if !ok {
		return nil, domain.NotFound("file", key)
	}
	return tabular.Open(ctx, source{key, text}, tabular.Options{})
}

type source struct{ name, text string }

func (s source) Name() string { return s.name }
func (s source) Size() int64  { return int64(len(s.text)) }
func (s source) Range(_ context.Context, offset, n int64) (io.ReadCloser, error) {
	text := s.text[offset:]
	if n >= 0 {
		text = text[:min(n, int64(len(text)))]
	}
	return io.NopCloser(bytes.NewReader([]byte(text))), nil
}

// csv is a table that can be learned: whoever is old, or young on plan b, leaves.
func csv(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("age,plan,code,churned\n")
	for range n {
		age, plan := 18+r.IntN(60), []string{"a", "b"}[r.IntN(2)]
		churned := age > 50 || plan == "b" && age < 30
		text := fmt.Sprint(age)
		if r.IntN(25) == 0 {
			text = ""
		}
		fmt.Fprintf(&b, "%s,%s,%d,%v\n", text, plan, r.IntN(3), churned)
	}
	return b.String()
}

// wish is a training of what csv makes.
func wish(change ...func(*training.Create)) training.Create {
	c := training.Create{Name: "churn", Architecture: training.GradientBoostedTrees, DataModelID: "dm_1",
		Configuration: domain.Doc{"epochs": []byte("12"), "checkpoint_every": []byte("4")},
		Sources:       []training.Source{{ConnectorID: "con_1", Files: []string{"con_1/a.csv"}, Target: "churned"}}}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) create(c training.Create) string {
	w.Helper()
	out, err := commands.Run[training.State, struct{}](w.Context(), w.h, training.Aggregate, commands.Request{Principal: principal(), Create: true}, c, nil)
	if err != nil {
		w.Fatal(err)
	}
	return out.ID
}

func (w *world) do(id string, cmd domain.Decider[training.State]) {
	w.Helper()
	if _, err := commands.Run[training.State, struct{}](w.Context(), w.h, training.Aggregate, commands.Request{Principal: principal(), ID: id}, cmd, nil); err != nil {
		w.Fatal(err)
	}
}

func (w *world) state(id string) training.State {
	w.Helper()
	s, err := commands.Load(w.Context(), w.h, training.Aggregate, principal(), id, func(l *commands.Loaded[training.State]) training.State { return *l.State })
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// until waits for a training to be in a state.
func (w *world) until(id string, is func(*training.State) bool) training.State {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), deadline)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		s := w.state(id)
		if is(&s) {
			return s
		}
		select {
		case <-ctx.Done():
			w.Fatalf("not in time: %+v %+v", s, s.Reason)
		case <-tick.C:
		}
	}
}

func (w *world) ended(id string) training.State {
	w.Helper()
	return w.until(id, func(s *training.State) bool { return s.Status.Ended() })
}

func (w *world) benchmark(metrics ...string) string {
	w.Helper()
	doc, err := domain.DocOf(map[string]any{"name": "last quarter", "description": "of the last quarter", "task": "binary", "metrics": metrics,
		"connectors": []map[string]any{{"connector_id": "con_2", "files": []string{"con_2/test.csv"}, "target": "left"}}})
	if err != nil {
		w.Fatal(err)
	}
	out, err := w.res.Create(w.Context(), catalogue.Benchmarks, commands.Request{Principal: principal(), Create: true}, doc)
	if err != nil {
		w.Fatal(err)
	}
	return out.ID
}

// types lists what has happened to an aggregate.
func (w *world) types(stream domain.StreamID) (list []string) {
	w.Helper()
	for r, err := range w.store.ReadStream(w.Context(), stream, streams.ReadStream{}) {
		if err != nil {
			w.Fatal(err)
		}
		list = append(list, r.Type)
	}
	return list
}

// streams lists the streams of the log.
func (w *world) streams() (list []domain.StreamID) {
	w.Helper()
	for r, err := range w.store.ReadAll(w.Context(), streams.ReadAll{}) {
		if err != nil {
			w.Fatal(err)
		}
		if !slices.Contains(list, r.Stream) {
			list = append(list, r.Stream)
		}
	}
	return list
}
