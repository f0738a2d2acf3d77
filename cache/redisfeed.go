package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	feedPing    = 500 * time.Millisecond
	feedSilence = 2 * feedPing // a server that answers no ping for so long is lost
	feedPause   = 250 * time.Millisecond
)

// Subscribe implements Cache. A connection that breaks, or on which the server is silent for a second, is told as
// Lost and made anew until it stands.
func (r *Redis) Subscribe(ctx context.Context, channel string) (<-chan Event, error) {
	if err := checkKeys(ctx, channel); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !r.breaker.allow() {
		return nil, fmt.Errorf("%w: waiting after failures", ErrUnavailable)
	}
	running, cancel := context.WithCancel(ctx)
	f := &redisFeed{
		client:     r.client,
		channel:    r.prefix + channel,
		events:     make(chan Event, feedBuffer),
		subscribed: make(chan struct{}),
	}
	go func() {
		defer cancel()
		f.run(running)
	}()
	limit := time.NewTimer(r.timeout)
	defer limit.Stop()
	select {
	case <-f.subscribed:
		return f.events, r.settle(ctx, nil)
	case <-running.Done():
		return nil, r.settle(ctx, errors.New("not subscribed"))
	case <-limit.C:
	}
	cancel()
	return nil, r.settle(ctx, fmt.Errorf("not subscribed in time: %w", context.DeadlineExceeded))
}

// redisFeed is one subscription over all its connections.
type redisFeed struct {
	client     redis.UniversalClient
	channel    string
	events     chan Event
	subscribed chan struct{} // closed when the first connection stands
	state      feedState
}

type feedState int

const (
	feedNew feedState = iota
	feedWhole
	feedBroken
)

// run makes one connection after the other. It ends with ctx, or when the first does not come to stand.
func (f *redisFeed) run(ctx context.Context) {
	defer close(f.events)
	for {
		connection, hangUp := context.WithCancel(ctx)
		heard := make(chan any)
		go f.listen(connection, heard)
		f.follow(ctx, heard)
		hangUp()
		if f.state == feedNew || !f.pause(ctx) {
			return
		}
		lookAnew(ctx, f.client)
		// The next one waits for the end of the last, so that a client without time limits piles up none.
		for gone := false; !gone; {
			select {
			case _, ok := <-heard:
				gone = !ok
			case <-ctx.Done():
				return
			}
		}
	}
}

// follow hands on what a connection hears until it falls silent or ends.
func (f *redisFeed) follow(ctx context.Context, heard <-chan any) {
	silence := time.NewTimer(feedSilence)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-silence.C:
			return
		case reply, ok := <-heard:
			if !ok {
				return
			}
			silence.Reset(feedSilence)
			switch reply := reply.(type) {
			case *redis.Subscription:
				f.resume(ctx)
			case *redis.Message:
				offer(f.events, []byte(reply.Payload))
			}
		}
	}
}

// resume is told that the connection listens. A second time on the same one go-redis made it anew by itself.
func (f *redisFeed) resume(ctx context.Context) {
	if f.state == feedNew {
		close(f.subscribed)
	} else {
		f.tell(ctx, Resumed)
	}
	f.state = feedWhole
}

// pause tells that the feed is broken, once, and waits a little. It reports whether to go on.
func (f *redisFeed) pause(ctx context.Context) bool {
	if f.state == feedWhole {
		f.tell(ctx, Lost)
		f.state = feedBroken
	}
	wait := time.NewTimer(feedPause)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell waits for a subscriber that lags: it must not take a broken feed for a quiet one.
func (f *redisFeed) tell(ctx context.Context, kind EventKind) {
	select {
	case f.events <- Event{Kind: kind}:
	case <-ctx.Done():
	}
}

// listen subscribes on a connection and hands on all that it hears, until it breaks or ctx ends.
func (f *redisFeed) listen(ctx context.Context, heard chan<- any) {
	defer close(heard)
	defer func() { _ = recover() }() // go-redis panics on replies that are not those of a server
	sub := f.client.Subscribe(ctx)
	defer func() { _ = sub.Close() }()
	go keepAlive(ctx, sub)
	if sub.Subscribe(ctx, f.channel) != nil {
		return
	}
	for {
		// Without a time limit: one that strikes within a reply would leave the connection out of step.
		reply, err := sub.Receive(ctx)
		if err != nil {
			return
		}
		select {
		case heard <- reply:
		case <-ctx.Done():
			return
		}
	}
}

// keepAlive makes the server say something twice a second, and ends listen, which reads without end, with ctx.
func keepAlive(ctx context.Context, sub *redis.PubSub) {
	tick := time.NewTicker(feedPing)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = sub.Ping(ctx) // what fails falls silent
		case <-ctx.Done():
			_ = sub.Close()
			return
		}
	}
}
