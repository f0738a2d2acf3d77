package mixins

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// The bounds of one answer: so long it waits for something new, and so many entries it has.
const (
	maxListWait    = 30 * time.Second
	maxRevocations = 10_000
)

// ListRevocations implements SessionOps.
func (m Session[U]) ListRevocations(ctx context.Context, after string, wait time.Duration) (roster.Revocations, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ListRevocations")
	if err != nil {
		return roster.Revocations{}, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return roster.Revocations{}, err
	}
	return c.view.list(ctx, after, wait)
}

// list tells what is known after a position, once there is something new. It reads nothing but what the view reads for
// its own sake: however many wait, the database is not asked more often.
func (v *view) list(ctx context.Context, after string, wait time.Duration) (roster.Revocations, error) {
	ahead, err := v.known.Ahead(after)
	if err != nil {
		return roster.Revocations{}, err
	}
	if ahead { // another node has told of what this one has not read
		inner, cancel := context.WithTimeout(ctx, maxAsk)
		err = v.catchUp(inner)
		cancel()
		if err != nil {
			return roster.Revocations{}, roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
		}
	}
	end := time.NewTimer(min(max(wait, 0), maxListWait))
	defer end.Stop()
	look := time.NewTicker(v.poll)
	defer look.Stop()
	for over := wait <= 0; ; {
		if err := v.ready(ctx); err != nil {
			return roster.Revocations{}, err
		}
		r, news, changed, err := v.known.Since(after, maxRevocations)
		if err != nil || news || over {
			return r, err
		}
		select {
		case <-changed:
		case <-look.C: // without Run, nobody else reads
		case <-end.C:
			over = true
		case <-ctx.Done():
			return roster.Revocations{}, ctx.Err()
		}
	}
}
