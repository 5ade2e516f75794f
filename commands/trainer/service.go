package trainer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/training"
	"strata/internal/tabular"
)

// Open is a training or an evaluation that has not ended.
type Open struct {
	ID, Organization, Workspace string
	Status                      training.Status
	Runner                      training.Runner
	Attempt                     int
}

func (o *Open) principal() domain.Principal { return domain.System(o.Organization, o.Workspace) }

// Queue knows what has not ended. It is a read model, so it may be behind the
// log: what it lists is asked of the training itself before anything is done.
type Queue interface {
	OpenTrainings(ctx context.Context) ([]Open, error)
	OpenEvaluations(ctx context.Context) ([]Open, error)
	// Changed receives after any of that has changed.
	Changed() <-chan struct{}
}

// Tables reads the data of connectors.
type Tables interface {
	// Files lists the keys of those files of a connector that are tables.
	Files(ctx context.Context, p domain.Principal, connector string) ([]string, error)
	// Open opens one of them; ctx bounds all reading. An error of code
	// SERVICE_UNAVAILABLE or TIMEOUT is worth another try.
	Open(ctx context.Context, p domain.Principal, connector, key string) (tabular.Reader, error)
}

// Clusters hands trainings over to the managers of clusters.
type Clusters interface {
	// Dispatch hands a training to the cluster of its workspace. The same key
	// starts it once. false: there is no cluster. An error of code
	// SERVICE_UNAVAILABLE or TIMEOUT is worth another try.
	Dispatch(ctx context.Context, p domain.Principal, job Job, key string) (bool, error)
	// Withdraw tells the cluster, if there is one, that a training is not wanted
	// any more. A training that it does not know is no error.
	Withdraw(ctx context.Context, p domain.Principal, trainingID string) error
}

// Job is what a cluster's manager is told of a training.
type Job struct {
	ID            string            `json:"id"`
	Attempt       int               `json:"attempt"`
	Name          string            `json:"name"`
	Architecture  string            `json:"architecture"`
	DataModelID   string            `json:"data_model_id"`
	GPUCount      int               `json:"gpu_count"`
	BenchmarkIDs  []string          `json:"benchmark_ids,omitempty"`
	Configuration domain.Doc        `json:"configuration"`
	Connectors    []training.Source `json:"connectors"`
}

// Config of a Service. Handler, Resources, Queue and Tables are needed.
type Config struct {
	Handler   *commands.Handler
	Resources *commands.Resources
	Queue     Queue
	Tables    Tables
	Clusters  Clusters // nil: there are none
	// Workers is how many trainings run here at the same time; 1 when 0.
	Workers int
	// Backoff is the pause before a job that failed for now is tried again, then
	// twice that, and so on; 2 s when 0.
	Backoff time.Duration
	Logger  *slog.Logger // nil: discards
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; may be nil.
	At func(point string)
}

// Service does the work. Make one with [New], and run it once in an installation.
type Service struct {
	cfg   Config
	ended chan *job // jobs that have ended; taken by Run

	// Of the goroutine that runs Run:
	active map[string]*job
	later  map[string]pause
}

// job is something that is being done.
type job struct {
	Open
	key  string
	slot slot
	stop context.CancelFunc
	err  error // set when it has ended
}

// slot is what a job takes one of.
type slot int

const (
	light  slot = iota // needs no processor to speak of
	worker             // trains
	scorer             // evaluates
)

// pause is when something that failed for now is tried again.
type pause struct {
	until time.Time
	tries int
}

// scorers is how many evaluations run at the same time.
const scorers = 1

// lights bounds what waits for clusters at the same time.
const lights = 16

// How often a job is tried that fails for reasons that may pass. A cluster may be
// away for longer than data: it gets a quarter of an hour.
const (
	maxTries        = 5
	maxTriesCluster = 10
)

// New makes a service.
func New(cfg Config) *Service {
	if cfg.Workers == 0 {
		cfg.Workers = 1
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.At == nil {
		cfg.At = func(string) {}
	}
	return &Service{cfg: cfg, ended: make(chan *job), active: map[string]*job{}, later: map[string]pause{}}
}

// Run does what there is to do until ctx ends, and returns its error when
// nothing is being done any more. What was interrupted is found by the next Run.
func (s *Service) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		next, err := s.round(ctx, &jobs)
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "the trainer does not know what there is to do; trying again", "error", err)
			next = s.cfg.Backoff
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.cfg.Queue.Changed():
		case <-timer.C:
		case j := <-s.ended:
			s.settle(j)
		}
		timer.Stop()
	}
}

// idle is how long Run waits for a change before it looks again by itself.
const idle = time.Minute

// round stops what is not wanted any more and begins what can be begun. It
// returns when something is to be tried again.
func (s *Service) round(ctx context.Context, jobs *sync.WaitGroup) (time.Duration, error) {
	trainings, err := s.cfg.Queue.OpenTrainings(ctx)
	if err != nil {
		return idle, err
	}
	evaluations, err := s.cfg.Queue.OpenEvaluations(ctx)
	if err != nil {
		return idle, err
	}
	wanted := map[string]bool{}
	next := idle
	for _, list := range [][]Open{trainings, evaluations} {
		for _, o := range list {
			j := s.jobOf(o)
			if j == nil {
				continue
			}
			wanted[j.key] = true
			if s.active[j.key] != nil || !s.free(j.slot) {
				continue
			}
			if wait := time.Until(s.later[j.key].until); wait > 0 {
				next = min(next, wait)
				continue
			}
			s.begin(ctx, j, jobs)
		}
	}
	for key, j := range s.active {
		if !wanted[key] {
			j.stop()
		}
	}
	for key := range s.later {
		if !wanted[key] {
			delete(s.later, key)
		}
	}
	return next, nil
}

// jobOf says what an open thing needs now; nil for nothing from us.
func (s *Service) jobOf(o Open) *job {
	j := &job{Open: o, slot: scorer, key: o.ID}
	if domain.HasPrefix(o.ID, training.Aggregate.Prefix) {
		switch {
		case o.Runner == training.Cluster: // it reports by itself
			return nil
		case o.Status == training.Pending:
			j.slot = light
		default:
			j.slot = worker
		}
		j.key = fmt.Sprintf("%s %d %d", o.ID, o.Attempt, j.slot)
	}
	return j
}

func (s *Service) free(of slot) bool {
	n := map[slot]int{light: lights, worker: s.cfg.Workers, scorer: scorers}[of]
	for _, j := range s.active {
		if j.slot == of {
			n--
		}
	}
	return n > 0
}

func (s *Service) begin(ctx context.Context, j *job, jobs *sync.WaitGroup) {
	doing, stop := context.WithCancel(ctx)
	j.stop = stop
	s.active[j.key] = j
	tries := s.later[j.key].tries + 1
	jobs.Go(func() {
		defer stop()
		j.err = s.do(doing, j, tries)
		select {
		case s.ended <- j:
		case <-ctx.Done():
		}
	})
}

// settle takes note of how a job has ended.
func (s *Service) settle(j *job) {
	delete(s.active, j.key)
	if j.err == nil {
		delete(s.later, j.key)
		return
	}
	tries := s.later[j.key].tries + 1
	wait := s.cfg.Backoff << min(tries-1, 8)
	s.later[j.key] = pause{until: time.Now().Add(wait), tries: tries}
	s.cfg.Logger.Warn("work of the trainer failed for now", "id", j.ID, "error", j.err, "again_in", wait)
}

// do does a job. An error is worth another try; what is not is recorded, as is
// an error of the last try.
func (s *Service) do(ctx context.Context, j *job, tries int) (err error) {
	defer func() {
		if p := recover(); p != nil { // whatever is wrong with this one, the others go on
			s.cfg.Logger.ErrorContext(ctx, "the trainer panicked", "id", j.ID, "panic", p)
			err = s.fail(ctx, j, fault{training.Interrupted, "an internal error ended it; the server's log tells more"})
		}
	}()
	switch j.slot {
	case light:
		err = s.place(ctx, j)
	case worker:
		err = s.train(ctx, j)
	case scorer:
		err = s.score(ctx, j)
	}
	if ctx.Err() != nil || over(err) {
		return nil // nobody waits for it, or it is found again
	}
	if f, ok := errors.AsType[fault](err); ok {
		return s.fail(ctx, j, f)
	}
	most, code := maxTries, training.BadData
	if j.slot == light {
		most, code = maxTriesCluster, training.ClusterError
	}
	if err != nil && tries >= most {
		return s.fail(ctx, j, fault{code, fmt.Sprintf("tried %d times: %s", tries, reason(err))})
	}
	return err
}

// fault ends a training or an evaluation.
type fault struct{ code, message string }

// Error implements error.
func (f fault) Error() string { return f.message }

// over tells whether a command was refused because its training has moved on.
func over(err error) bool {
	code := domain.CodeOf(err)
	return err != nil && (code == domain.CodeConflict || code == domain.CodeNotFound)
}

// passing tells whether an error may be gone at the next try.
func passing(err error) bool {
	e, ok := errors.AsType[*domain.Error](err)
	return ok && (e.Code == domain.CodeUnavailable || e.Code == domain.CodeTimeout)
}

// reason says what an error means to the owner of a training.
func reason(err error) string {
	e, ok := errors.AsType[*domain.Error](err)
	switch {
	case !ok:
		return err.Error()
	case len(e.Fields) == 0:
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Message
	}
	return strings.Join(parts, "; ")
}

// run runs a command on a training.
func (s *Service) run(ctx context.Context, j *job, cmd domain.Decider[training.State]) error {
	_, err := commands.Run[training.State, struct{}](ctx, s.cfg.Handler, training.Aggregate, commands.Request{Principal: j.principal(), ID: j.ID}, cmd, nil)
	return err
}
