package cache

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// What calls weigh. A failure that came at once weighs less than one that took all the time that a call has: a request
// makes several calls, and is not to wait for each of them. An answer takes little away, since in a cluster one node may
// be away and the others answer.
const (
	breakerOpens = 20 // with five failures, or two that ran out of time
	weighFailure = 4
	weighTimeout = 10
	weighAnswer  = -1
	breakerPause = time.Second
)

// breaker spares callers the wait for a server that does not answer: five failures, or two that ran out of time, with few
// answers between them, open it for a second, in which calls fail at once. Then one call a second tries, until one
// succeeds.
type breaker struct {
	now func() time.Time

	mu     sync.Mutex
	weight int
	until  time.Time
}

// allow reports whether a call may go out.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.weight < breakerOpens {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(breakerPause) // for all but this one
	return true
}

// isWary reports whether calls have failed lately.
func (b *breaker) isWary() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.weight > 0
}

// undecided takes back that allow let a call out, which told nothing of the server: another may try.
func (b *breaker) undecided() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.weight >= breakerOpens {
		b.until = b.now()
	}
}

// done records the outcome of a call that allow let out.
func (b *breaker) done(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isOpen := b.weight >= breakerOpens
	switch {
	case err == nil && isOpen:
		b.weight = 0
	case err == nil:
		b.weight = max(b.weight+weighAnswer, 0)
	case isOpen:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		b.weight += weighTimeout
	default:
		b.weight += weighFailure
	}
	if !isOpen && b.weight >= breakerOpens {
		b.until = b.now().Add(breakerPause)
	}
}
