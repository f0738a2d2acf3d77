package cache

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisConfig configures NewRedis; the zero value is ready to use.
type RedisConfig struct {
	// Prefix begins every key and channel, and separates those who share a server. It has no braces, or all keys
	// would share its hash tag, and with it one node of a cluster. Default "roster:".
	Prefix string
	// Timeout bounds each call. Default 200 ms.
	Timeout time.Duration
	// Now is the clock of the breaker; what is stored ends by the server's. Default time.Now.
	Now func() time.Time
}

// Redis is a Cache on a Redis server (6.2 or newer, or a compatible one), on Sentinel or on a cluster. The server's
// maxmemory-policy should be noeviction, so that a full server refuses takes instead of forgetting them.
//
// Whatever the options of the client, a call ends after Timeout, and none is sent twice; after five failures, or two calls
// that ran out of time, with few answers between them, calls fail at once for a second. Failures are [ErrUnavailable].
// After one a client of a cluster is made to ask which nodes there are.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
	breaker breaker
	// prompt is a client that ends calls in time by itself. With any other, slots bounds the calls under way, those
	// that were given up included.
	prompt bool
	slots  chan struct{}

	later later

	takes, releases, peeks script
}

var (
	_ Cache       = (*Redis)(nil)
	_ SoonDeleter = (*Redis)(nil)
)

// redisSlots is far more than a client has connections: what a server that hangs can hold of ours.
const redisSlots = 512

// NewRedis returns a cache on a client that stays its owner's to close.
func NewRedis(client redis.UniversalClient, cfg RedisConfig) *Redis {
	if cfg.Prefix == "" {
		cfg.Prefix = "roster:"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 200 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of Now
	}
	return &Redis{
		client:   client,
		prefix:   cfg.Prefix,
		timeout:  cfg.Timeout,
		breaker:  breaker{now: cfg.Now},
		prompt:   mindsDeadlines(client),
		slots:    make(chan struct{}, redisSlots),
		later:    later{within: deletesWithin},
		takes:    newScript(takeScript),
		releases: newScript(releaseScript),
		peeks:    newScript(peekScript),
	}
}

// valueVersion is the first byte of every stored value. No number begins with it, which tells values from counters.
const valueVersion = '\x01'

// Get implements Cache.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return r.read(ctx, "get", key)
}

// Take implements Cache.
func (r *Redis) Take(ctx context.Context, key string) ([]byte, bool, error) {
	return r.read(ctx, "getdel", key)
}

func (r *Redis) read(ctx context.Context, command, key string) ([]byte, bool, error) {
	if err := checkKeys(ctx, key); err != nil {
		return nil, false, err
	}
	cmd := redis.NewCmd(ctx, command, r.prefix+key)
	if err := r.do(ctx, cmd); err != nil {
		return nil, false, err
	}
	stored, err := cmd.Text()
	if err != nil || stored == "" || stored[0] != valueVersion {
		return nil, false, nil
	}
	return []byte(stored[1:]), true, nil
}

// Set implements Cache.
func (r *Redis) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkTTL(ctx, key, ttl); err != nil {
		return err
	}
	return r.do(ctx, redis.NewCmd(ctx, "set", r.prefix+key, versioned(value), "px", milliseconds(ttl)))
}

// SetNX implements Cache.
func (r *Redis) SetNX(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := checkTTL(ctx, key, ttl); err != nil {
		return false, err
	}
	cmd := redis.NewCmd(ctx, "set", r.prefix+key, versioned(value), "px", milliseconds(ttl), "nx")
	if err := r.do(ctx, cmd); err != nil {
		return false, err
	}
	return cmd.Err() == nil, nil
}

// Delete implements Cache.
func (r *Redis) Delete(ctx context.Context, keys ...string) error {
	if err := checkKeys(ctx, keys...); err != nil {
		return err
	}
	return r.do(ctx, r.deletes(ctx, keys)...)
}

func (r *Redis) deletes(ctx context.Context, keys []string) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		cmds[i] = redis.NewCmd(ctx, "del", r.prefix+key)
	}
	return cmds
}

// Publish implements Cache.
func (r *Redis) Publish(ctx context.Context, channel string, message []byte) error {
	if err := checkKeys(ctx, channel); err != nil {
		return err
	}
	cmd := redis.NewCmd(ctx, "publish", r.prefix+channel, message)
	cmd.SetFirstKeyPos(1) // in a cluster always the same node, that of the subscribers: others would mix up the order
	return r.do(ctx, cmd)
}

func versioned(value []byte) []byte {
	return append(append(make([]byte, 0, 1+len(value)), valueVersion), value...)
}

// milliseconds rounds up, since a key that is to live for less than one would not live at all.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
