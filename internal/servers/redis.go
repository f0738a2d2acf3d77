package servers

import (
	"context"
	"os/exec"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Redis is a Redis server.
type Redis struct {
	Process
}

// StartRedis starts a server. Settings are its command's: "--appendonly", "yes". Without any it keeps nothing.
func StartRedis(ctx context.Context, settings ...string) (*Redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	prefix, err := as("")
	if err != nil {
		return nil, err
	}
	dir, err := newDir("redis", "")
	if err != nil {
		return nil, err
	}
	r := &Redis{Process{Port: FreePort(), Dir: dir}}
	r.isReady = r.ping
	r.args = slices.Concat(prefix, []string{
		program, "--bind", "127.0.0.1", "--port", strconv.Itoa(r.Port), "--dir", dir, "--save", "", "--appendonly", "no",
	}, settings)
	if err := r.Start(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Redis) ping(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: r.Host()})
	defer func() { _ = client.Close() }()
	return client.Ping(ctx).Err()
}
