package connectors_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/internal/bucket"
	"strata/internal/connectors"
	"strata/internal/outbound"
	"strata/projections"
	model "strata/projections/connectors"
	"strata/projections/projectionstest"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sealer marks what it has sealed.
type sealer struct{}

func (sealer) Seal(plain string) (string, error)  { return "sealed:" + plain, nil }
func (sealer) Open(sealed string) (string, error) { return strings.TrimPrefix(sealed, "sealed:"), nil }

// world is the service over a log, with a read model and a bucket.
type world struct {
	*testing.T
	*connectors.Service
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	store  *store
	url    string
}

// store is a bucket "bkt" in memory.
type store struct {
	mu     sync.Mutex
	files  map[string]string
	reads  map[string]int
	gate   chan struct{} // reads of the contents wait for it; nil: they do not
	closed bool          // everything is refused
	shown  string        // the latest session token
}

func (s *store) token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	closed, gate := s.closed, s.gate
	s.shown = r.Header.Get("X-Amz-Security-Token")
	key := strings.TrimPrefix(r.URL.Path, "/bkt/")
	text, ok := s.files[key]
	if r.Method == http.MethodGet && ok {
		s.reads[key]++
	}
	var list strings.Builder
	for name, text := range s.files {
		fmt.Fprintf(&list, "<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag></Contents>", name, len(text))
	}
	s.mu.Unlock()
	switch {
	case closed:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
	case r.URL.Query().Has("list-type"):
		fmt.Fprintf(w, "<ListBucketResult>%s</ListBucketResult>", list.String())
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
	default:
		if gate != nil && r.Method == http.MethodGet {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(connector.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, log: projectionstest.NewLog(), codec: codec, store: &store{files: map[string]string{}, reads: map[string]int{}}}
	srv := httptest.NewServer(w.store)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	guard, err := outbound.New([]string{outbound.Everywhere})
	if err != nil {
		t.Fatal(err)
	}
	client := bucket.NewClient(guard)
	t.Cleanup(client.CloseIdleConnections)
	w.runner = projectionstest.Start(t, w.log, codec, model.Model{})
	w.Service = &connectors.Service{Handler: commands.New(commands.Config{Store: w.log, Codec: codec}), Sealer: sealer{}, Client: client,
		Logger: slog.New(slog.DiscardHandler)}
	return w
}

// queue is what there is to do, from the read model.
type queue struct {
	*model.Queries
	w       *world
	changed chan struct{}
}

func (q queue) Changed() <-chan struct{} { return q.changed }

func (q queue) Reach(ctx context.Context, at domain.Position) error {
	_, err := q.w.runner.Wait(ctx, model.Name, at)
	return err
}

func jobs(places []model.Place, err error) ([]connectors.Job, error) {
	var out []connectors.Job
	for _, p := range places {
		out = append(out, connectors.Job(p))
	}
	return out, err
}

func (q queue) Open(ctx context.Context, n int) ([]connectors.Job, error) {
	return jobs(q.Queries.Open(ctx, n))
}
func (q queue) Untried(ctx context.Context) ([]connectors.Job, error) {
	return jobs(q.Queries.Untried(ctx))
}

func (w *world) queries() *model.Queries {
	db, err := w.runner.Reader(model.Name)
	if err != nil {
		w.Fatal(err)
	}
	return model.NewQueries(db)
}

// work begins to scan; what it returns ends that.
func (w *world) work() (stop func()) {
	q := queue{w.queries(), w, make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(w.Context())
	var looking sync.WaitGroup
	looking.Go(func() { // the model may have changed at any time
		look := time.NewTicker(2 * time.Millisecond)
		defer look.Stop()
		for ctx.Err() == nil {
			select {
			case <-look.C:
			case <-ctx.Done():
			}
			select {
			case q.changed <- struct{}{}:
			default:
			}
		}
	})
	done := make(chan error, 1)
	go func() { done <- w.Work(ctx, q) }()
	return func() {
		cancel()
		looking.Wait()
		if err := <-done; err != nil && ctx.Err() == nil {
			w.Error(err)
		}
	}
}

var me = domain.Principal{Actor: "user_1", Organization: "org_1", Workspace: "ws_1", Permissions: map[string]bool{"*": true}}

func (w *world) create() string {
	w.Helper()
	out, err := w.Create(w.Context(), commands.Request{Principal: me}, connectors.New{
		Create:      connector.Create{Name: "Churn", Type: connector.AWSS3, S3: connector.S3{Bucket: "bkt", Endpoint: w.url, ForcePathStyle: true}},
		Credentials: connectors.Credentials{AccessKeyID: "AK", SecretAccessKey: "SECRET"}, SettingsAt: "s3.", CredentialsAt: "s3."})
	if err != nil {
		w.Fatal(err)
	}
	return out.ID
}

// until waits for the model to show something.
func (w *world) until(what string, ok func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for ; !ok(); <-look.C {
		head, err := w.log.Head(ctx)
		if err == nil {
			_, err = w.runner.Wait(ctx, model.Name, head)
		}
		if err != nil || ctx.Err() != nil {
			w.Fatalf("%s: %v", what, err)
		}
	}
}

func (w *world) scan(id, scan string) model.Scan {
	w.Helper()
	s, err := w.queries().Scan(w.Context(), me.Workspace, id, scan)
	if err != nil && domain.CodeOf(err) != domain.CodeNotFound {
		w.Fatal(err)
	}
	return s
}

func (w *world) state(id string) connector.State {
	w.Helper()
	s, err := commands.Load(w.Context(), w.Handler, connector.Aggregate, me, id, func(l *commands.Loaded[connector.State]) connector.State { return *l.State })
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func TestCreateTriesThePlace(t *testing.T) {
	w := newWorld(t)
	if s := w.state(w.create()); s.Status() != connector.Active || !strings.HasPrefix(s.Credentials, "sealed:") || s.LastTestedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	w.store.closed = true
	id := w.create()
	if s := w.state(id); s.Status() != connector.Failed || !strings.Contains(s.Reason, "access is denied") || strings.Contains(s.Reason, "SECRET") {
		t.Errorf("%+v", s)
	}
	w.store.closed = false
	if out, reason, err := w.Test(t.Context(), commands.Request{Principal: me, ID: id}); err != nil || reason != "" || out.View.Status() != connector.Active {
		t.Errorf("%+v, %q, %v", out, reason, err)
	}
}

func TestCreateNamesEveryFault(t *testing.T) {
	w := newWorld(t)
	_, err := w.Create(t.Context(), commands.Request{Principal: me}, connectors.New{Create: connector.Create{Type: connector.AWSS3},
		Credentials: connectors.Credentials{SecretAccessKey: "x", SessionToken: "a\nb"}, SettingsAt: "config.", CredentialsAt: "credentials."})
	own, ok := err.(*domain.Error)
	if !ok {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	for _, f := range own.Fields {
		fields[f.Field] = true
	}
	for _, f := range []string{"name", "config.bucket", "config.region", "credentials.access_key_id", "credentials.session_token"} {
		if !fields[f] {
			t.Errorf("%s is not named: %v", f, err)
		}
	}
}

func TestOpen(t *testing.T) {
	w := newWorld(t)
	w.store.files["a.csv"], w.store.files["a.pdf"], w.store.files["bad.csv"] = "x,y\n1,2\n", "%PDF", ""
	id := w.create()
	table, err := w.Open(t.Context(), me, id, "a.csv")
	if err != nil {
		t.Fatal(err)
	}
	row, err := table.Next()
	if n, ok := row[1].Int(); err != nil || !ok || n != 2 || table.Size != 8 {
		t.Errorf("%v, %v, %d bytes", row, err, table.Size)
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
	for file, want := range map[string]domain.Code{"a.pdf": domain.CodeValidation, "bad.csv": domain.CodeValidation, "absent.csv": domain.CodeNotFound} {
		if _, err := w.Open(t.Context(), me, id, file); domain.CodeOf(err) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
	stranger := me
	stranger.Workspace = "ws_2"
	if _, err := w.Open(t.Context(), stranger, id, "a.csv"); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("a stranger: %v", err)
	}
}

func TestScan(t *testing.T) {
	w := newWorld(t)
	w.store.files["a.csv"], w.store.files["bad.csv"], w.store.files["notes.txt"] = "age,plan\n30,pro\n,free\n50,pro\n", "a,b\n1\n", "x"
	id := w.create()
	stop := w.work()
	defer stop()
	out, err := w.Scan(t.Context(), commands.Request{Principal: me, ID: id}, nil)
	if err != nil || len(out.View.Scans) != 1 || len(out.View.Scans[0].Open) != 2 {
		t.Fatalf("%+v, %v", out.View, err)
	}
	scan := out.View.Scans[0].ID
	w.until("the scan is completed", func() bool { return !w.scan(id, scan).CompletedAt.IsZero() })
	s := w.scan(id, scan)
	if s.Failed != 1 || len(s.Files) != 2 {
		t.Fatalf("%+v", s)
	}
	for _, f := range s.Files {
		switch f.Name {
		case "a.csv":
			age := f.Found.Columns[0]
			if f.Found.Rows != 3 || age.Type != "integer" || age.Nulls != 1 || *age.Mean != 40 || string(age.Max) != "50" || age.Quantiles["0.5"] != 30 ||
				f.Found.Columns[1].Top[0] != (connector.ValueCount{Value: "pro", Count: 2}) {
				t.Errorf("%+v", f.Found)
			}
		case "bad.csv":
			if !strings.Contains(f.Error, "line 2") {
				t.Errorf("%+v", f)
			}
		}
	}
	if s := w.state(id); s.Status() != connector.Active || s.LastScannedAt.IsZero() {
		t.Errorf("%+v", s)
	}
}

// A scan that one process began is finished by the next, and a connector that
// nobody tried is tried.
func TestWorkGoesOn(t *testing.T) {
	w := newWorld(t)
	w.store.files["a.csv"], w.store.gate = "a\n1\n", make(chan struct{})
	id := w.create()
	stop := w.work()
	out, err := w.Scan(t.Context(), commands.Request{Principal: me, ID: id}, []string{"a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	reading := func() bool {
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		return w.store.reads["a.csv"] > 0
	}
	w.until("the file is read", reading)
	stop()
	if s := w.state(id); s.Status() != connector.Scanning {
		t.Fatalf("%+v", s)
	}
	untried := connector.Aggregate.Stream("con_2")
	meta := projectionstest.Meta("ws_1", 1)
	w.log.Write(t, w.codec, untried, meta, connector.Created{Name: "x", Type: connector.AWSS3, S3: connector.S3{Bucket: "bkt", Endpoint: w.url, ForcePathStyle: true}})
	close(w.store.gate)
	projectionstest.WaitFor(t, w.runner, w.log, model.Name)
	stop = w.work()
	defer stop()
	w.until("the scan is completed", func() bool { return !w.scan(id, out.View.Scans[0].ID).CompletedAt.IsZero() })
	w.until("the connector is tried", func() bool {
		c, err := w.queries().Get(t.Context(), "ws_1", "con_2")
		return err == nil && c.Status() == connector.Active
	})
}

// What is read for a connector that is deleted is given up.
func TestDeletedWhileScanned(t *testing.T) {
	w := newWorld(t)
	w.store.files["a.csv"], w.store.files["b.csv"], w.store.gate = "a\n1\n", "b\n2\n", make(chan struct{})
	id, other := w.create(), w.create()
	stop := w.work()
	defer stop()
	if _, err := w.Scan(t.Context(), commands.Request{Principal: me, ID: id}, []string{"a.csv", "b.csv"}); err != nil { // all that is read at a time
		t.Fatal(err)
	}
	out, err := w.Scan(t.Context(), commands.Request{Principal: me, ID: other}, []string{"absent.csv"})
	if err != nil {
		t.Fatal(err)
	}
	w.until("the files are read", func() bool {
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		return len(w.store.reads) == 2
	})
	if _, err := commands.Run[connector.State, struct{}](t.Context(), w.Handler, connector.Aggregate, commands.Request{Principal: me, ID: id}, connector.Delete{}, nil); err != nil {
		t.Fatal(err)
	}
	w.until("the other's turn comes", func() bool { return w.scan(other, out.View.Scans[0].ID).Failed == 1 })
}

func TestNothingToScan(t *testing.T) {
	w := newWorld(t)
	w.store.files["notes.txt"] = "x"
	if _, err := w.Scan(t.Context(), commands.Request{Principal: me, ID: w.create()}, nil); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("%v", err)
	}
}
