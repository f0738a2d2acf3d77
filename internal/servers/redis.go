package servers

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

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
	r := &Redis{Process{Port: busPort(), Dir: dir}}
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
	client := r.client()
	defer func() { _ = client.Close() }()
	return client.Ping(ctx).Err()
}

// client is one that gives up soon.
func (r *Redis) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: r.Host(), DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1, ContextTimeoutEnabled: true,
	})
}

// Do sends the server a command.
func (r *Redis) Do(ctx context.Context, command ...any) (any, error) {
	client := r.client()
	defer func() { _ = client.Close() }()
	return client.Do(ctx, command...).Result()
}

// info is a value of what the server tells of itself.
func (r *Redis) info(ctx context.Context, name string) string {
	answer, _ := r.Do(ctx, "info") // what is not told is ""
	return valueIn(answer, name)
}

// valueIn finds a value in lines like "name:value".
func valueIn(answer any, name string) string {
	text, _ := answer.(string)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}

// until waits for something that servers do by themselves.
func until(ctx context.Context, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
