package embedded

import "runtime"

// WaitQueued returns when n requests wait for the writer.
func WaitQueued(l *Log, n int) {
	for {
		l.writer.mu.Lock()
		queued := len(l.writer.queue)
		l.writer.mu.Unlock()
		if queued >= n {
			return
		}
		runtime.Gosched()
	}
}
