package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// do sends commands in one round trip. An error means that some had no answer.
func (r *Redis) do(ctx context.Context, cmds ...*redis.Cmd) error {
	if len(cmds) == 0 {
		return nil
	}
	return r.guard(ctx, func(ctx context.Context) error { return r.send(ctx, cmds) })
}

// send takes along the deletes that wait. They wait for another call when this one got no answer.
func (r *Redis) send(ctx context.Context, cmds []*redis.Cmd) error {
	keys := r.later.take()
	deletes := r.deletes(ctx, keys)
	err := r.exec(ctx, deletes, cmds)
	if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
		_ = r.putOff(keys)
	} else if slices.ContainsFunc(deletes, failed) {
		r.later.failed.Store(true)
	}
	return err
}

// exec sends two lists of commands in one round trip. Those of the first are other callers': it returns no error of theirs alone.
func (r *Redis) exec(ctx context.Context, silent, cmds []*redis.Cmd) error {
	if len(silent) == 0 && len(cmds) == 1 {
		return failure(r.client.Process(ctx, once{cmds[0]}))
	}
	pipe := r.client.Pipeline()
	for _, cmd := range slices.Concat(silent, cmds) {
		_ = pipe.Process(ctx, once{cmd}) // queues it, and cannot fail
	}
	_, err := pipe.Exec(ctx)
	for _, cmd := range cmds {
		if err := failure(cmd.Err()); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(silent, failed) {
		return nil // the error is of one of these
	}
	return failure(err) // of a hook, which sets none on the commands
}

func failed(cmd *redis.Cmd) bool { return cmd.Err() != nil }

// once is a command that go-redis does not repeat, whatever its MaxRetries: an answer that was lost may have been
// that of a take which counted.
type once struct{ redis.Cmder }

// NoRetry overrides that of the command.
func (once) NoRetry() bool { return true }

// failure returns nil for errors that are answers: a key that is missing or of another type, a script to be sent.
func failure(err error) error {
	if err == nil || errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "NOSCRIPT") {
		return nil
	}
	return err
}

// mindsDeadlines reports that a client ends a call at the deadline of its context, as go-redis does only if it is told
// to. That of a cluster may not even then: it asks about commands and nodes with time limits of its own.
func mindsDeadlines(client redis.UniversalClient) bool {
	c, ok := client.(*redis.Client)
	return ok && c.Options().ContextTimeoutEnabled
}

// guard runs send no longer than the limit. Where the client does not see to that, send is left behind then.
func (r *Redis) guard(ctx context.Context, send func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !r.breaker.allow() {
		return fmt.Errorf("%w: waiting after failures", ErrUnavailable)
	}
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	if r.prompt {
		defer cancel()
		return r.settle(ctx, send(limited))
	}
	select {
	case r.slots <- struct{}{}:
	case <-limited.Done():
		cancel()
		r.breaker.undecided() // nothing was sent
		if err := ctx.Err(); err != nil {
			return err
		}
		return fmt.Errorf("%w: too many calls at once", ErrUnavailable)
	}
	answer := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil { // of a hook: it would end the process from here
				answer <- fmt.Errorf("panic: %v", p)
			}
			<-r.slots
			cancel() // last, so that whoever sees limited end finds an answer if there is one
		}()
		answer <- send(limited)
	}()
	<-limited.Done()
	select {
	case err := <-answer:
		return r.settle(ctx, err)
	default:
		return r.settle(ctx, limited.Err())
	}
}

// settle tells the breaker how a call went. A caller that went away says nothing about the server.
func (r *Redis) settle(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		r.breaker.undecided()
		return ctx.Err()
	}
	r.breaker.done(err)
	if err != nil {
		lookAnew(ctx, r.client)
		return fmt.Errorf("%w: %s", ErrUnavailable, err.Error()) // not wrapped: a deadline of ours is not ctx's
	}
	return nil
}

// lookAnew makes a client of a cluster ask who the masters are. By itself it does when it repeats a command, which ours are
// not, and else once a minute: so long it would send to one that is gone. Of calls at once one asks, in the background.
func lookAnew(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(interface{ ReloadState(ctx context.Context) }); ok {
		c.ReloadState(ctx)
	}
}
