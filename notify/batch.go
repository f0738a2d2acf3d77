package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// batch is claimed messages and what became of them. To the outbox each batch is a worker of its own, so that a try
// that outlived its lease cannot report on what a later batch of the same process has claimed.
type batch struct {
	worker   roster.ID
	messages []store.Message
	until    time.Time // the end of the lease

	mu        sync.Mutex
	delivered Delivered
	fail      func(error) // is told of errors of the outbox
}

func (w *Worker) claim(ctx context.Context, most int, fail func(error)) (*batch, error) {
	now := w.cfg.Now()
	b := &batch{until: now.Add(w.cfg.Lease), fail: fail}
	_, _ = rand.Read(b.worker[:]) // never fails
	var err error
	if b.messages, err = w.outbox.ClaimMessages(ctx, b.worker, most, now, b.until); err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	// A database need not return what it updates in the order in which it chose it.
	slices.SortStableFunc(b.messages, func(x, y store.Message) int {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), x.CreatedAt.Compare(y.CreatedAt),
			slices.Compare(x.ID[:], y.ID[:]))
	})
	return b, nil
}

// work begins to try each message as soon as a lane is free. When ctx ends, those that were not begun are put back;
// trying ends later.
func (w *Worker) work(ctx, trying context.Context, b *batch, running *sync.WaitGroup) {
	for _, m := range b.messages {
		select {
		case w.lanes <- struct{}{}:
			running.Go(func() {
				defer func() { <-w.lanes }()
				w.deliver(ctx, trying, b, m)
			})
		case <-ctx.Done():
			w.giveBack(trying, b, m)
		}
	}
}

// deliver tries a message and tells the outbox what became of it.
func (w *Worker) deliver(ctx, trying context.Context, b *batch, m store.Message) {
	now := w.cfg.Now()
	switch {
	case ctx.Err() != nil, now.Add(w.cfg.SendTimeout).After(b.until):
		w.giveBack(trying, b, m) // another worker may have it before the try ends
		return
	case !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt):
		w.finish(trying, b, m, store.MessageExpired, "")
		return
	case m.Attempts > w.cfg.MaxAttempts:
		// The workers that tried it did not live to tell.
		w.finish(trying, b, m, store.MessageDead, "no attempts are left")
		return
	}
	elapsed := stopwatch()
	t := w.try(trying, m)
	took := elapsed()
	failure, reason := Classify(t.err), describe(t.err, t.message)
	if failure.Misconfigured {
		w.configErrors.Add(1)
	}
	switch {
	case t.err == nil:
		w.metrics.tried(m, t.state(), took)
		w.finish(trying, b, m, t.state(), "")
	case failure.Permanent, m.Attempts >= w.cfg.MaxAttempts && trying.Err() == nil:
		w.metrics.tried(m, store.MessageDead, took)
		w.log(trying, slog.LevelError, store.MessageDead, m, reason, t.stack)
		w.finish(trying, b, m, store.MessageDead, reason)
	case trying.Err() != nil:
		w.putBack(trying, b, m)
	default:
		w.metrics.tried(m, store.MessagePending, took)
		w.log(trying, slog.LevelWarn, store.MessagePending, m, reason, nil)
		w.retry(trying, b, m, wait(m.Attempts, failure.After), reason)
	}
}

// stopwatch starts one: how long sending takes is of real time, not of the program's clock.
func stopwatch() (elapsed func() time.Duration) {
	start := time.Now()                                      //nolint:forbidigo // see above
	return func() time.Duration { return time.Since(start) } //nolint:forbidigo // see above
}

// The outbox is told of results for at most outboxTimeout, also when the worker is to end.
const outboxTimeout = 5 * time.Second

func (w *Worker) finish(ctx context.Context, b *batch, m store.Message, state store.MessageState, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
	defer cancel()
	err := w.outbox.FinishMessage(ctx, m.ID, b.worker, state, w.cfg.Now(), reason)
	b.record(state, err)
}

// retry puts a message back until its rest is over, or until its end if that comes first: then it expires.
func (w *Worker) retry(ctx context.Context, b *batch, m store.Message, rest time.Duration, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
	defer cancel()
	next := w.cfg.Now().Add(rest)
	if !m.ExpiresAt.IsZero() && next.After(m.ExpiresAt) {
		next = m.ExpiresAt
	}
	err := w.outbox.RetryMessage(ctx, m.ID, b.worker, next, reason)
	b.record(store.MessagePending, err)
}

// giveBack returns a message that was not tried.
func (w *Worker) giveBack(ctx context.Context, b *batch, m store.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
	defer cancel()
	if err := w.outbox.ReturnMessage(ctx, m.ID, b.worker, w.cfg.Now()); err != nil {
		b.record("", err)
	}
}

// putBack returns a message that was not tried to the end.
func (w *Worker) putBack(ctx context.Context, b *batch, m store.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
	defer cancel()
	if err := w.outbox.RetryMessage(ctx, m.ID, b.worker, w.cfg.Now(), "put back: there was no time to try it to the end"); err != nil {
		b.record("", err)
	}
}

func (b *batch) record(state store.MessageState, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.fail(fmt.Errorf("tell the outbox: %w", err))
		return
	}
	switch state {
	case store.MessageSent:
		b.delivered.Sent++
	case store.MessagePending:
		b.delivered.Retried++
	case store.MessageDead:
		b.delivered.Dead++
	case store.MessageCancelled:
		b.delivered.Cancelled++
	case store.MessageExpired:
		b.delivered.Expired++
	case store.MessageSending:
	}
}

func (w *Worker) log(ctx context.Context, level slog.Level, state store.MessageState, m store.Message, reason string, stack []byte) {
	attrs := []slog.Attr{
		slog.String("id", m.ID.String()), slog.String("kind", m.Kind), slog.String("channel", m.Channel),
		slog.Int("attempts", m.Attempts), slog.String("state", string(state)), slog.String("error", reason),
	}
	if stack != nil {
		attrs = append(attrs, slog.String("stack", string(stack)))
	}
	w.cfg.Logger.LogAttrs(ctx, level, "message was not sent", attrs...)
}
