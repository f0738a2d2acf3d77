package cache

import (
	"sync"
	"time"
)

const (
	breakerFailures = 5
	breakerPause    = time.Second
)

// breaker spares callers the wait for a server that does not answer: five failures in a row open it for a second, in
// which calls fail at once. Then one call a second tries, until one succeeds.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time
}

// allow reports whether a call may go out.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakerFailures {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(breakerPause) // for all but this one
	return true
}

// done records the outcome of a call that allow let out.
func (b *breaker) done(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.failures = 0
		return
	}
	b.failures++
	if b.failures == breakerFailures {
		b.until = b.now().Add(breakerPause)
	}
}
