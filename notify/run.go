package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// idlePoll is the longest that Run waits before it looks again.
const idlePoll = 10 * time.Second

// Run works off the outbox until ctx ends: at once after Wake, else by polling. Then it claims no more, puts back what
// it has not begun, gives the tries that are running the time of Drain, and returns nil when all goroutines have ended.
// An outbox that fails is asked again later.
func (w *Worker) Run(ctx context.Context) error {
	trying, stop := w.drain(ctx)
	defer stop()
	var running sync.WaitGroup
	defer w.closeIdle()
	defer running.Wait()

	pause := w.cfg.Poll
	for ctx.Err() == nil {
		claimed := w.round(ctx, trying, &running)
		switch {
		case claimed == w.cfg.Batch:
			continue
		case claimed == 0:
			w.closeIdle()
		default:
			pause = w.cfg.Poll
		}
		if woken := w.rest(ctx, pause); woken {
			pause = w.cfg.Poll
		} else {
			pause = max(w.cfg.Poll, min(2*pause, idlePoll))
		}
	}
	return nil
}

// round claims a batch when a lane is free, and returns when each of its messages has one: a slow one holds up no
// other. It returns how many there were.
func (w *Worker) round(ctx, trying context.Context, running *sync.WaitGroup) int {
	select {
	case w.lanes <- struct{}{}:
		<-w.lanes
	case <-ctx.Done():
		return 0
	}
	fail := func(err error) { w.cfg.Logger.ErrorContext(trying, "outbox fails", slog.Any("error", err)) }
	b, err := w.claim(ctx, w.cfg.Batch, fail)
	if err != nil {
		if ctx.Err() == nil {
			fail(err)
		}
		return 0
	}
	w.work(ctx, trying, b, running)
	return len(b.messages)
}

// rest waits for a while or until Wake, and reports whether it was that.
func (w *Worker) rest(ctx context.Context, pause time.Duration) (woken bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-w.wake:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// drain returns a context for the tries, which outlives ctx by the time of Drain. It must be stopped.
func (w *Worker) drain(ctx context.Context) (trying context.Context, stop func()) {
	trying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(w.cfg.Drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-trying.Done():
		}
	})
	return trying, func() {
		unwatch()
		cancel()
	}
}
