package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deletesWithin is how long keys wait for a call that takes them along.
	deletesWithin = 30 * time.Millisecond
	// mostDeletes is how many wait at most: one call takes them all along.
	mostDeletes = 500
)

// DeleteSoon implements SoonDeleter. With a client of one server, or of Sentinel, that ends calls in time by itself, as that of
// [OpenRedis] does, the delete goes ahead of the next call, in the same round trip, and by itself after 30 ms. It is lost with a
// server that does not answer then, and when the process ends before. With any other client, after calls or deletes that failed,
// and when many deletes wait, it is Delete.
func (r *Redis) DeleteSoon(ctx context.Context, keys ...string) error {
	if err := checkKeys(ctx, keys...); err != nil {
		return err
	}
	if r.prompt && !r.breaker.isWary() && !r.later.failed.Swap(false) && r.putOff(keys) {
		return nil
	}
	return r.Delete(ctx, keys...)
}

func (r *Redis) putOff(keys []string) bool { return r.later.put(keys, r.deletePutOff) }

// deletePutOff deletes what no call has taken along.
func (r *Redis) deletePutOff() {
	defer func() { _ = recover() }() // of a hook: it would end the process from here
	if err := r.Delete(context.Background(), r.later.take()...); err != nil {
		r.later.failed.Store(true)
	}
}

// later holds keys that are to be deleted.
type later struct {
	within time.Duration
	failed atomic.Bool // a delete that was put off: the next is not, so that its caller is told

	mu    sync.Mutex
	keys  []string
	timer *time.Timer
}

// put has keys wait, and flush called in a moment if nobody has taken them by then. It reports whether there is room.
func (l *later) put(keys []string, flush func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys)+len(keys) > mostDeletes {
		return false
	}
	if len(l.keys) == 0 && len(keys) > 0 {
		l.timer = time.AfterFunc(l.within, flush)
	}
	l.keys = append(l.keys, keys...)
	return true
}

func (l *later) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) == 0 {
		return nil
	}
	l.timer.Stop()
	keys := l.keys
	l.keys = nil
	return keys
}
