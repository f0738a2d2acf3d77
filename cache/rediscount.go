package cache

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// readCounter begins each script: n and ttl as Limit.take has them, in milliseconds. What is no number of ours or has no
// end is missing, so that nothing found under a key can refuse for ever. Time stands still while a script runs.
const readCounter = `
local key, max, window, first, longest =
	KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local n, ttl, stored = 0, 0, redis.pcall('GET', key)
if type(stored) == 'string' and #stored < 16 and string.find(stored, '^-?%d+$') then
	ttl = redis.call('PTTL', key)
	if ttl > 0 then n = tonumber(stored) else ttl = 0 end
end
local spent = max > 0 and n >= max
local waits = spent and first > 0 and ttl > window
`

// takeScript is Limit.take. Its third answer is 1 for a take that passed, 2 for one that began a lock.
const takeScript = readCounter + `
if n < 0 or waits then
	return {n, ttl, 0}
end
if spent and first == 0 then
	local lock = tonumber(ARGV[3])
	if lock > 0 then
		n, ttl = -n, lock
		redis.call('SET', key, n, 'PX', ttl)
		return {n, ttl, 2}
	end
	return {n, ttl, 0}
end
n = n + 1
if first == 0 and ttl > 0 then
	redis.call('INCR', key)
	return {n, ttl, 1}
end
ttl = window
if first > 0 and n >= max then
	ttl = ttl + math.min(first * 2 ^ (n - max), longest)
end
redis.call('SET', key, n, 'PX', ttl)
return {n, ttl, 1}
`

// releaseScript is Limit.giveBack.
const releaseScript = readCounter + `
if n <= 0 then
	return {n, ttl, 0}
end
n = redis.call('DECR', key)
if waits then
	local less = math.min(first * 2 ^ (n + 1 - max), longest)
	if n >= max then
		less = less - math.min(first * 2 ^ (n - max), longest)
	end
	ttl = math.max(ttl - less, window)
	redis.call('PEXPIRE', key, ttl)
end
return {n, ttl, 0}
`

const peekScript = readCounter + `return {n, ttl, 0}`

// Incr implements Cache.
func (r *Redis) Incr(ctx context.Context, key string, window time.Duration) (Count, error) {
	if err := checkTTL(ctx, key, window); err != nil {
		return Count{}, err
	}
	counts, err := r.take(ctx, Limit{Key: key, Window: window})
	if err != nil {
		return Count{}, err
	}
	return counts[0], nil
}

// IncrBelow implements Cache.
func (r *Redis) IncrBelow(ctx context.Context, limits ...Limit) ([]Count, error) {
	if err := checkLimits(ctx, limits); err != nil {
		return nil, err
	}
	return r.take(ctx, limits...)
}

func (r *Redis) take(ctx context.Context, limits ...Limit) ([]Count, error) {
	cmds := r.runs(ctx, r.takes, limits)
	if err := r.doScript(ctx, r.takes, cmds); err != nil {
		return nil, err
	}
	counts := make([]Count, len(limits))
	for i, l := range limits {
		n, ttl, outcome, err := counter(cmds[i])
		if err != nil {
			return nil, err
		}
		counts[i] = l.rounded().count(n, ttl, outcome == 1)
		counts[i].Locked = outcome == 2
	}
	return counts, nil
}

// Release implements Cache.
func (r *Redis) Release(ctx context.Context, limits ...Limit) error {
	if err := checkLimitKeys(ctx, limits); err != nil {
		return err
	}
	return r.doScript(ctx, r.releases, r.runs(ctx, r.releases, limits))
}

// Peek implements Cache.
func (r *Redis) Peek(ctx context.Context, limits ...Limit) ([]Count, error) {
	if err := checkLimitKeys(ctx, limits); err != nil {
		return nil, err
	}
	cmds := r.runs(ctx, r.peeks, limits)
	if err := r.doScript(ctx, r.peeks, cmds); err != nil {
		return nil, err
	}
	counts := make([]Count, len(limits))
	for i, l := range limits {
		n, ttl, _, err := counter(cmds[i])
		if err != nil {
			return nil, err
		}
		counts[i] = l.rounded().peek(n, ttl)
	}
	return counts, nil
}

// script is Lua that works on one key.
type script struct{ source, hash string }

func newScript(source string) script {
	return script{source: source, hash: redis.NewScript(source).Hash()}
}

// runs makes one run of a script for each limit.
func (r *Redis) runs(ctx context.Context, s script, limits []Limit) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(limits))
	for i, l := range limits {
		cmds[i] = redis.NewCmd(ctx, "evalsha", s.hash, 1, r.prefix+l.Key, l.Max, milliseconds(l.Window),
			milliseconds(l.Lock), milliseconds(l.Backoff), milliseconds(l.MaxBackoff))
	}
	return cmds
}

// doScript sends runs of a script in one round trip, and a second time where a server did not know it: that one has
// not run it, so nothing counts twice. It replaces those cmds.
func (r *Redis) doScript(ctx context.Context, s script, cmds []*redis.Cmd) error {
	if len(cmds) == 0 {
		return nil
	}
	return r.guard(ctx, func(ctx context.Context) error {
		if err := r.send(ctx, cmds); err != nil {
			return err
		}
		var again []*redis.Cmd
		for i, cmd := range cmds {
			if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
				args := slices.Clone(cmd.Args())
				args[0], args[1] = "eval", s.source
				cmds[i] = redis.NewCmd(ctx, args...)
				again = append(again, cmds[i])
			}
		}
		if len(again) == 0 {
			return nil
		}
		return r.send(ctx, again)
	})
}

// counter reads the answer of a script. One that is none refuses.
func counter(cmd *redis.Cmd) (n int64, ttl time.Duration, outcome int64, err error) {
	answer, err := cmd.Int64Slice()
	if err != nil || len(answer) != 3 {
		return 0, 0, 0, fmt.Errorf("%w: not the answer of a script", ErrUnavailable)
	}
	return answer[0], time.Duration(answer[1]) * time.Millisecond, answer[2], nil
}

// rounded is the limit as the server has it.
func (l Limit) rounded() Limit {
	for _, d := range []*time.Duration{&l.Window, &l.Lock, &l.Backoff, &l.MaxBackoff} {
		*d = time.Duration(milliseconds(*d)) * time.Millisecond
	}
	return l
}
