package mixins

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// How often Run cleans up and looks after the signing keys.
const (
	cleanEvery = time.Hour
	keysEvery  = time.Minute
)

var errRunning = errors.New("the repo runs already")

// Run sends messages, follows revocations, cleans up and looks after the signing keys until ctx ends. A second Run of the same
// repo is an error.
func (c *Core[U]) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer c.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var others sync.WaitGroup
	others.Go(func() { c.follow(ctx) })
	others.Go(func() { each(ctx, cleanEvery, c.clean) })
	others.Go(func() { each(ctx, keysEvery, c.tendKeys) })
	err := c.worker.Run(ctx)
	cancel()
	others.Wait()
	return err
}

func (c *Core[U]) clean(ctx context.Context) {
	if _, err := c.Self.Clean(ctx); err != nil && ctx.Err() == nil {
		c.Logger.ErrorContext(ctx, "cleaning failed", slog.Any("error", err))
	}
}

// each runs job now and then until ctx ends.
func each(ctx context.Context, every time.Duration, job func(ctx context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		job(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
