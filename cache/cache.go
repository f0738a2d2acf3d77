// Package cache keeps what Roster may lose: rate counters, short copies and a feed of messages; in memory for one
// process, in Redis for many.
//
// Losing all of it, by FLUSHALL or a restart, lets limits start anew and costs a read of the database, and nothing
// else: no token comes back to life, nothing is used twice, no message is lost. What must not be lost does not belong
// here.
package cache

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Cache is a store of values and counters that end by themselves. Package cachetest has its conformance suite.
//
//   - A key is not empty ([ErrKey]) and holds no address, name or token in clear: hash it first. Keys of one subject
//     may share a hash tag, as in "{subject}:lane"; nothing here needs it.
//   - A key holds a value or a counter. To the methods of the other kind it is missing, and Set, Incr and IncrBelow
//     replace it; so is what does not parse.
//   - Nothing is kept without an end: a ttl or window is above zero and at most a century ([ErrTTL]). At the instant
//     it ends the entry is gone.
//   - An error leaves open whether the call took effect, for each of its keys. Whoever asked for leave to do
//     something treats it as a refusal. When ctx has ended the error is ctx's.
//   - Methods are safe for concurrent use, also by several processes where the store is shared, and byte slices
//     belong to their receiver.
type Cache interface {
	// Get reads a value; ok is false when it is missing.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)

	// Set stores a copy of something: it may be dropped early to make room.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// SetNX stores a value under a key that holds nothing, and tells whether it did: of any number of calls one
	// does. The value is not dropped early.
	SetNX(ctx context.Context, key string, value []byte, ttl time.Duration) (stored bool, err error)

	// Take reads and deletes a value in one step: of any number of calls one gets it.
	Take(ctx context.Context, key string) (value []byte, ok bool, err error)

	// Delete removes values and counters. A missing key is no error.
	Delete(ctx context.Context, keys ...string) error

	// Incr counts one. The window starts with the first, in the same atomic step, and is not lengthened.
	Incr(ctx context.Context, key string, window time.Duration) (Count, error)

	// IncrBelow takes one from each limit, each in one atomic step, all in one round trip, and answers in their
	// order. Of N parallel takes exactly min(N, Max) pass. A limit that refuses counts nothing; the others keep what
	// they counted. When one of them is wrong ([ErrKey], [ErrTTL], [ErrLimit]) none is taken.
	IncrBelow(ctx context.Context, limits ...Limit) ([]Count, error)

	// Release gives back one take of each limit, for takes that passed and led to nothing. It leaves what would be
	// there without the take: one less is counted, to the same end, and a wait is as long as that count makes it. But a
	// count does not go below zero, a counter that is missing stays so, and a lock stands.
	Release(ctx context.Context, limits ...Limit) error

	// Peek reads the counters of limits and takes nothing. OK tells whether a take would pass now.
	Peek(ctx context.Context, limits ...Limit) ([]Count, error)

	// Publish sends a message to those who are subscribed to the channel now, in every process that shares the store.
	// What one publisher sends, one message after the other, arrives in this order.
	Publish(ctx context.Context, channel string, message []byte) error

	// Subscribe listens to a channel until ctx ends; then the Go channel is closed. What is published after it
	// returned arrives, or [Lost] or [Resumed] tells that it may not have.
	Subscribe(ctx context.Context, channel string) (<-chan Event, error)
}

// SoonDeleter is what a Cache may implement besides. Roster forgets by it the failures before an attempt that succeeded, and
// else by Delete. A type that embeds one, such as *Redis, and has a Delete of its own needs a DeleteSoon of its own too, which
// may call that.
type SoonDeleter interface {
	// DeleteSoon is Delete for what nobody waits for: the keys are gone for the next call to this Cache, unless others are under
	// way, and in a moment for all. What is stored or counted under them until then may go with them. An error after it
	// returned is told to nobody, and the keys stay to their end.
	DeleteSoon(ctx context.Context, keys ...string) error
}

// century is the longest time to live; sums of two stay far from an overflow.
const century = 100 * 365 * 24 * time.Hour

// The errors of a Cache.
var (
	// ErrUnavailable is a store that fails, or does not answer in time.
	ErrUnavailable = errors.New("cache: unavailable")
	// ErrFull is a bounded store in which locks leave no room for another key.
	ErrFull = errors.New("cache: full")
	// ErrKey is an empty key or channel.
	ErrKey = errors.New("cache: empty key")
	// ErrTTL is a ttl or window of zero, below zero, or of more than a hundred years.
	ErrTTL = errors.New("cache: ttl out of range")
	// ErrLimit is a limit that makes no sense, such as a Max below one.
	ErrLimit = errors.New("cache: invalid limit")
)

func checkKeys(ctx context.Context, keys ...string) error {
	if slices.Contains(keys, "") {
		return ErrKey
	}
	return ctx.Err()
}

func checkTTL(ctx context.Context, key string, ttl time.Duration) error {
	if ttl <= 0 || ttl > century {
		return ErrTTL
	}
	return checkKeys(ctx, key)
}
