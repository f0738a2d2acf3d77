package integration_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/internal/servers"
)

// STORE-37, STORE-42: the master is killed, and its replica takes over.
func TestFaultRedisSentinel(t *testing.T) {
	t.Parallel()
	s := ownSentinel(t)
	outlasts(t, cacheFault{client: watched(t, s), begin: func() error { s.Master.Kill(); return nil }})
}

// STORE-37, STORE-42: the master does not answer, its replica takes over, and the old one comes back and does not know.
func TestFaultRedisSentinelFrozen(t *testing.T) {
	t.Parallel()
	s := ownSentinel(t)
	outlasts(t, cacheFault{client: watched(t, s), begin: s.Master.Freeze, end: func() error {
		within(t, returns, "the replica takes over", func() bool {
			role, _ := s.Replica.Do(t.Context(), "role")
			list, _ := role.([]any)
			return len(list) > 0 && list[0] == "master"
		})
		return s.Master.Thaw()
	}})
}

func ownSentinel(t *testing.T) *servers.Sentinel {
	t.Helper()
	s, err := servers.StartSentinel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// watched makes clients that ask the sentinel: one as a program makes it that has set nothing.
func watched(t *testing.T, s *servers.Sentinel) func(i int) redis.UniversalClient {
	t.Helper()
	return func(i int) redis.UniversalClient {
		if i == 0 {
			return closing(t, redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{s.Watcher.Host()}}))
		}
		return opened(t, "redis://"+s.Watcher.Host()+"?master_name=main")(i)
	}
}

// STORE-37, STORE-42: of the masters of a cluster the one is killed by which the nodes hear of each other.
func TestFaultRedisCluster(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	master := c.master(t)
	outlasts(t, cacheFault{client: c.clients(t), begin: func() error { master.Kill(); return nil }})
}

// STORE-37, STORE-39, STORE-42: that one does not answer, and its replica takes over.
func TestFaultRedisClusterFrozen(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	master := c.master(t)
	outlasts(t, cacheFault{client: c.clients(t), begin: master.Freeze})
}

type redisCluster struct{ *servers.Cluster }

func ownCluster(t *testing.T) redisCluster {
	t.Helper()
	c, err := servers.StartCluster(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return redisCluster{c}
}

// master is the one that has the channel of revocations.
func (c redisCluster) master(t *testing.T) *servers.Redis {
	t.Helper()
	i, err := c.MasterOf(t.Context(), "roster:revocations")
	if err != nil {
		t.Fatal(err)
	}
	return c.Masters[i]
}

// clients makes clients of the cluster: one as a program makes it that has set nothing.
func (c redisCluster) clients(t *testing.T) func(i int) redis.UniversalClient {
	t.Helper()
	return func(i int) redis.UniversalClient {
		if i == 0 {
			return closing(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Hosts()}))
		}
		return opened(t, "redis://"+strings.Join(c.Hosts(), ","))(i)
	}
}
