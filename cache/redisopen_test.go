package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/cache"
)

// opened is what the three kinds of clients have in common.
type opened struct {
	Kind                        string
	Addrs                       []string
	Username, Password          string
	DB                          int
	TLS                         bool
	ContextTimeoutEnabled       bool
	MaxRetries, MaxActiveConns  int
	DialTimeout, ReadTimeout    time.Duration
	DialerRetries, PipelinePool int
}

func open(t *testing.T, url string) opened {
	t.Helper()
	client, err := cache.OpenRedis(url)
	if err != nil {
		t.Fatal(err)
	}
	switch c := closing(t, client).(type) {
	case *redis.ClusterClient:
		o := c.Options()
		return opened{
			"cluster", o.Addrs, o.Username, o.Password, 0, o.TLSConfig != nil, o.ContextTimeoutEnabled,
			o.MaxRetries, o.MaxActiveConns, o.DialTimeout, o.ReadTimeout, o.DialerRetries, o.PipelinePoolSize,
		}
	case *redis.Client:
		o := c.Options()
		return opened{
			"single",
			[]string{o.Addr},
			o.Username, o.Password, o.DB, o.TLSConfig != nil, o.ContextTimeoutEnabled,
			o.MaxRetries, o.MaxActiveConns, o.DialTimeout, o.ReadTimeout, o.DialerRetries, o.PipelinePoolSize,
		}
	}
	t.Fatalf("got %T", client)
	return opened{}
}

func TestOpenRedis(t *testing.T) {
	t.Parallel()
	ours := func(o opened) opened {
		o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries, o.PipelinePool = true, time.Second, 1, -1
		if o.ReadTimeout == 0 {
			o.ReadTimeout = 500 * time.Millisecond
		}
		if o.MaxActiveConns == 0 {
			o.MaxActiveConns = 32
		}
		return o
	}
	for url, want := range map[string]opened{
		"redis://localhost":                            {Kind: "single", Addrs: []string{"localhost:6379"}},
		"redis://app:p%40ss@db:6380/3":                 {Kind: "single", Addrs: []string{"db:6380"}, Username: "app", Password: "p@ss", DB: 3},
		"rediss://:secret@db:6380":                     {Kind: "single", Addrs: []string{"db:6380"}, Password: "secret", TLS: true},
		"redis://[::1]:6379/1":                         {Kind: "single", Addrs: []string{"[::1]:6379"}, DB: 1},
		"redis://db?read_timeout=2s&pool_size=90":      {Kind: "single", Addrs: []string{"db:6379"}, ReadTimeout: 2 * time.Second, MaxActiveConns: 90},
		"redis://a:b@one:1,two:2,three:3":              {Kind: "cluster", Addrs: []string{"one:1", "two:2", "three:3"}, Username: "a", Password: "b"},
		"rediss://one:1?addr=two:2":                    {Kind: "cluster", Addrs: []string{"one:1", "two:2"}, TLS: true},
		"redis://one:1?cluster=true":                   {Kind: "cluster", Addrs: []string{"one:1"}},
		"redis://s1:1,s2:2/2?master_name=m&password=p": {Kind: "single", Addrs: []string{"FailoverClient"}, Password: "p", DB: 2},
	} {
		got, want := open(t, url), ours(want)
		if got.Kind == "cluster" {
			want.MaxRetries = got.MaxRetries // go-redis repeats for a cluster by MaxRedirects; our commands forbid it
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", url, diff)
		}
	}
	for _, url := range []string{
		"", "localhost:6379", "http://localhost", "unix:///tmp/redis.sock", "redis://h:secret@host:port",
		"redis://h:secret@host/x", "redis://h:secret@host?no_such_option=1", "redis://h:secret@host?cluster=1", "redis://h:sec%zzret@host",
	} {
		if _, err := cache.OpenRedis(url); err == nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: got %v, want an error without the password", url, err)
		}
	}
}
