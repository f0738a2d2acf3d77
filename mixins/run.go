package mixins

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// cleanEvery is how often Run cleans up.
const cleanEvery = time.Hour

var errRunning = errors.New("the repo runs already")

// Run sends messages, follows revocations and cleans up until ctx ends. A second Run of the same repo is an error.
func (c *Core[U]) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer c.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var jobs sync.WaitGroup
	jobs.Go(func() { c.cleanUntil(ctx) })
	jobs.Go(func() { c.follow(ctx) })
	err := c.worker.Run(ctx)
	cancel()
	jobs.Wait()
	return err
}

func (c *Core[U]) cleanUntil(ctx context.Context) {
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		if _, err := c.Self.Clean(ctx); err != nil && ctx.Err() == nil {
			c.Logger.ErrorContext(ctx, "cleaning failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
