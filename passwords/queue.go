package passwords

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/roster-go/roster"
)

// queue lets at most so many in as it has places, first come, first served.
type queue struct {
	mu         sync.Mutex
	free       int
	waiting    list.List // of *waiter, the next one in front
	maxWaiting int
}

type waiter struct {
	places int
	turn   chan struct{} // closed when the places are the waiter's
}

// enter takes places, or returns why not: the context has ended, or too many wait already. Whoever entered leaves.
func (q *queue) enter(ctx context.Context, places int) error {
	if ctx.Err() != nil {
		return gone(ctx)
	}
	q.mu.Lock()
	if q.waiting.Len() == 0 && q.free >= places {
		q.free -= places
		q.mu.Unlock()
		return nil
	}
	if q.waiting.Len() >= q.maxWaiting {
		q.mu.Unlock()
		return roster.ErrUnavailable.WithMessage("too many wait for a password hash").WithRetryAfter(time.Second)
	}
	w := &waiter{places: places, turn: make(chan struct{})}
	place := q.waiting.PushBack(w)
	q.mu.Unlock()

	select {
	case <-w.turn:
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-w.turn: // came together with the end
		q.free += w.places
	default:
		q.waiting.Remove(place)
	}
	q.admit()
	return gone(ctx)
}

// leave gives places back.
func (q *queue) leave(places int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free += places
	q.admit()
}

// admit lets in who fits. Nobody overtakes a big one in front, or it would never get in.
func (q *queue) admit() {
	for place := q.waiting.Front(); place != nil; place = q.waiting.Front() {
		w := place.Value.(*waiter)
		if w.places > q.free {
			return
		}
		q.free -= w.places
		q.waiting.Remove(place)
		close(w.turn)
	}
}

func gone(ctx context.Context) error {
	return roster.ErrUnavailable.WithMessage("gone while waiting for a password hash").WithCause(ctx.Err())
}
