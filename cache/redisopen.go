package cache

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// OpenRedis makes a client from a URL, without connecting. It has time limits that suit a request, repeats nothing
// and bounds its connections. The caller closes it.
//
//	redis://user:password@host:6379/0                      one server; rediss:// with TLS
//	redis://host1:26379,host2:26379/0?master_name=main     Sentinel; &password= is that of the servers
//	redis://host1:6379,host2:6379                          a cluster; also host1?cluster=true
//
// Further parameters are those of go-redis' ParseURL, ParseFailoverURL and ParseClusterURL, such as read_timeout=1s
// or max_active_conns=100.
func OpenRedis(rawURL string) (redis.UniversalClient, error) {
	u, cluster, err := parseRedis(rawURL)
	if err != nil {
		return nil, fmt.Errorf("cache: open redis: %w", err)
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, fmt.Errorf("cache: open redis: %w", err)
		}
		o.ContextTimeoutEnabled, o.DialerRetries = true, 1
		return redis.NewFailoverClient(o), nil
	case cluster || q.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, fmt.Errorf("cache: open redis: %w", err)
		}
		o.ContextTimeoutEnabled, o.DialerRetries = true, 1
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("cache: open redis: %w", err)
	}
	o.ContextTimeoutEnabled, o.DialerRetries = true, 1
	return redis.NewClient(o), nil
}

// parseRedis rewrites a list of hosts, which net/url does not take, as go-redis' parameter addr, takes our own
// parameter cluster out, and adds the defaults. Its errors do not repeat the URL, which may hold a password.
func parseRedis(rawURL string) (u *url.URL, cluster bool, err error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || (scheme != "redis" && scheme != "rediss") {
		return nil, false, errors.New("the URL does not begin with redis:// or rediss://")
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	start := strings.LastIndexByte(rest[:end], '@') + 1
	hosts := strings.Split(rest[start:end], ",")
	u, err = url.Parse(scheme + "://" + rest[:start] + hosts[0] + rest[end:])
	if err != nil {
		return nil, false, errors.New("the URL does not parse")
	}
	q := u.Query()
	for _, host := range hosts[1:] {
		q.Add("addr", host)
	}
	if cluster = q.Get("cluster") == "true"; cluster {
		q.Del("cluster") // any other value is refused as unknown
	}
	defaults := url.Values{}
	for name, value := range map[string]string{
		"dial_timeout":       "1s",
		"read_timeout":       "500ms",
		"write_timeout":      "500ms",
		"pool_timeout":       "500ms",
		"max_retries":        "-1",
		"pool_size":          "32",
		"max_active_conns":   cmp.Or(q.Get("pool_size"), "32"), // without it the pool grows past its size
		"pipeline_pool_size": "-1",                             // ours are short, and do without 256 KiB of buffers each
	} {
		if !q.Has(name) {
			defaults.Set(name, value)
		}
	}
	maps.Copy(q, defaults)
	u.RawQuery = q.Encode()
	return u, cluster, nil
}
