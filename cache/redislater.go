package cache

import (
	"context"
	"sync"
	"time"
)

const (
	// deletesWithin is how long keys wait for a call that takes them along.
	deletesWithin = 30 * time.Millisecond
	// mostDeletes is how many wait at most.
	mostDeletes = 10_000
)

// DeleteSoon implements SoonDeleter. With a client of one server that ends calls in time by itself, as that of [OpenRedis]
// does, the delete goes ahead of the next call, in the same round trip, and by itself after 30 ms. It is lost with a server that
// does not answer then, and when the process ends before. With any other client it is Delete.
func (r *Redis) DeleteSoon(ctx context.Context, keys ...string) error {
	if !r.prompt {
		return r.Delete(ctx, keys...)
	}
	if err := checkKeys(ctx, keys...); err != nil {
		return err
	}
	r.putOff(keys)
	return nil
}

func (r *Redis) putOff(keys []string) {
	r.later.put(keys, func() { _ = r.Delete(context.Background(), r.later.take()...) })
}

// later holds keys that are to be deleted.
type later struct {
	mu    sync.Mutex
	keys  []string
	timer *time.Timer
}

// put has keys wait, and flush called in a moment if nobody has taken them by then.
func (l *later) put(keys []string, flush func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) == 0 && len(keys) > 0 {
		l.timer = time.AfterFunc(deletesWithin, flush)
	}
	if len(l.keys) < mostDeletes {
		l.keys = append(l.keys, keys...)
	}
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
