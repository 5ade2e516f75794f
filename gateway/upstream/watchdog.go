package upstream

import (
	"context"
	"io"
	"time"
)

// watchdog cancels a request that waits too long: first for the answer's
// headers, then for each read. One timer serves both.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func watch(ctx context.Context, t Timeouts) *watchdog {
	w := &watchdog{idle: t.Idle}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(t.FirstByte, func() { w.cancel(errFirstByte) })
	return w
}

// answered is called when the headers have come; from here on reads are timed.
func (w *watchdog) answered() {
	w.timer.Stop()
	w.timer = time.AfterFunc(w.idle, func() { w.cancel(errIdle) })
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// reader returns r with every read timed.
func (w *watchdog) reader(r io.Reader) io.Reader { return &timedReader{r, w} }

type timedReader struct {
	io.Reader
	watch *watchdog
}

func (t *timedReader) Read(p []byte) (int, error) {
	t.watch.timer.Reset(t.watch.idle)
	return t.Reader.Read(p)
}
