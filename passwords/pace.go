package passwords

import (
	"context"
	"sync"
	"time"
)

const (
	// maxPace bounds what wrong answers wait for: one monstrous import must not slow every login down.
	maxPace = time.Second
	// maxPaced bounds the schemes that are told apart.
	maxPaced = 32
)

// pace makes wrong answers take equally long, whatever kind of hash was checked: time would tell imported accounts
// from others, and from none (PASS-36). It learns what each scheme in use takes. While there is only one, nobody waits.
type pace struct {
	mu   sync.Mutex
	mean map[scheme]time.Duration // of one run; a nil scheme is a program's own
}

// learn takes note of one run. The mean is a moving one: it follows the load of the machine.
func (p *pace) learn(s scheme, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mean, known := p.mean[s]
	switch {
	case known:
		p.mean[s] = mean + (took-mean)/8
	case len(p.mean) < maxPaced:
		p.mean[s] = took
	}
}

// slowest is what a wrong answer takes.
func (p *pace) slowest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mean) < 2 {
		return 0
	}
	var slowest time.Duration
	for _, mean := range p.mean {
		slowest = max(slowest, mean)
	}
	return min(slowest, maxPace)
}

// wait returns after d, or when the context ends: the answer is known, only its time is not yet come.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stopwatch starts one. The program's clock, which may stand still, does not tell how long a hash takes.
func stopwatch() (elapsed func() time.Duration) {
	start := time.Now()                                      //nolint:forbidigo // see above
	return func() time.Duration { return time.Since(start) } //nolint:forbidigo // see above
}
