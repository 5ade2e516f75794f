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

// CachedHeads returns the number of stream heads in memory.
func CachedHeads(l *Log) int { return int(l.heads.count.Load()) }
