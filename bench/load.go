package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// conversation is one worker's side of the talk with a server.
type conversation struct {
	status int                     // that every answer must have
	next   func() []byte           // the next request
	read   func(body []byte) error // what to make of the answer; nil: nothing
}

// work makes the conversation of a worker. Each has its own user.
type work func(worker int) conversation

// sample is what one measurement has shown.
type sample struct {
	rate     float64       // requests a second
	p50, p99 time.Duration // of a request, as the client sees it
	server   time.Duration // CPU time of the server for a request
	postgres time.Duration // and of PostgreSQL
	others   float64       // the share of the machine that strangers had
}

// measure lets so many workers talk to a server, each waiting for its answer before it goes on. The beginning, when
// connections and statements are made, does not count.
func (b *bench) measure(ctx context.Context, s *server, w work, n int, d time.Duration) (sample, error) {
	var counting, stopped atomic.Bool
	taken := make([][]time.Duration, n)
	failures := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			conn, err := dial(ctx, s.addr)
			if err != nil {
				failures[i] = err
				return
			}
			defer conn.close()
			own := w(i)
			for !stopped.Load() && ctx.Err() == nil {
				begin := time.Now()
				if err := conn.exchange(own); err != nil {
					failures[i] = err
					return
				}
				if counting.Load() {
					taken[i] = append(taken[i], time.Since(begin))
				}
			}
		})
	}
	time.Sleep(d / 4)
	before, begin := b.spent(s), time.Now()
	counting.Store(true)
	time.Sleep(d)
	counting.Store(false)
	after, elapsed := b.spent(s), time.Since(begin)
	stopped.Store(true)
	running.Wait()
	if err := errors.Join(append(failures, ctx.Err())...); err != nil {
		return sample{}, err
	}
	all := slices.Concat(taken...)
	if len(all) == 0 {
		return sample{}, fmt.Errorf("no request was answered within %s: raise -time", d)
	}
	slices.Sort(all)
	requests := time.Duration(len(all))
	return sample{
		rate: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100],
		server: (after.server - before.server) / requests, postgres: (after.postgres - before.postgres) / requests,
		others: share(after.others-before.others, elapsed),
	}, nil
}

// spending is CPU time.
type spending struct{ server, postgres, others time.Duration }

func (b *bench) spent(s *server) spending {
	x := spending{cpuOf(s.pid()), b.postgres.cpu(), cpuOfAll()}
	x.others -= x.postgres + cpuOf(b.redis.pid) + cpuOf(os.Getpid())
	for _, own := range b.running {
		x.others -= cpuOf(own.pid())
	}
	return x
}

// awaitCalm waits until strangers have been quiet for a while, or for as long as the flag says.
func (b *bench) awaitCalm(ctx context.Context, s *server) {
	const look = 300 * time.Millisecond
	for end := time.Now().Add(b.calm); time.Now().Before(end) && ctx.Err() == nil; {
		before := b.spent(s).others
		time.Sleep(look)
		if share(b.spent(s).others-before, look) <= disturbed {
			return
		}
	}
}

// share is the part of the machine that a CPU time was in a while.
func share(spent, while time.Duration) float64 {
	return max(0, float64(spent)/float64(while)/float64(runtime.NumCPU()))
}
