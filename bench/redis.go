package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redisServer is the one of scripts/servers.
type redisServer struct {
	address string
	client  *redis.Client
	pid     int
}

func openRedis(ctx context.Context) (*redisServer, error) {
	address := os.Getenv("ROSTER_TEST_REDIS")
	if address == "" {
		return nil, errors.New(`ROSTER_TEST_REDIS is not set: run "make bench"`)
	}
	r := &redisServer{address: address, client: redis.NewClient(&redis.Options{Addr: address})}
	var err error
	r.pid, err = r.info(ctx, "server", "process_id")
	return r, err
}

// trips counts how often the server has read from its clients: commands that are sent together are read together.
func (r *redisServer) trips(ctx context.Context) (int, error) {
	return r.info(ctx, "stats", "total_reads_processed")
}

func (r *redisServer) info(ctx context.Context, section, name string) (int, error) {
	text, err := r.client.Info(ctx, section).Result()
	if err != nil {
		return 0, fmt.Errorf("ask Redis: %w", err)
	}
	for line := range strings.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(line, name+":%d", &n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("redis does not tell %s: version 6 or newer is needed", name)
}
