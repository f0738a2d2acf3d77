package servers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Proxy is a network between a node and a server, which tests cut.
type Proxy struct {
	proxy *toxiproxy.Proxy
}

// StartProxy starts a proxy before a server at a host and port.
func StartProxy(server string) (*Proxy, error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &Proxy{toxiproxy.NewProxy(api, server, fmt.Sprintf("127.0.0.1:%d", FreePort()), server)}
	return p, p.Join()
}

// Host is where clients find the server.
func (p *Proxy) Host() string { return p.proxy.Listen }

// Cut ends all connections, and refuses others.
func (p *Proxy) Cut() { p.proxy.Stop() }

// Join lets connections through again after a Cut.
func (p *Proxy) Join() error { return p.proxy.Start() }

// Turn ends all connections, and leads others to another server: as an address does that moves to it.
func (p *Proxy) Turn(server string) error {
	p.proxy.Stop()
	p.proxy.Upstream = server
	return p.proxy.Start()
}

// Swallow lets all bytes vanish, of connections that stand and of others, and tells nobody.
func (p *Proxy) Swallow() error {
	for _, stream := range []string{"upstream", "downstream"} {
		err := p.add(`{"name": "swallow-%s", "type": "timeout", "stream": "%[1]s", "attributes": {"timeout": 0}}`, stream)
		if err != nil {
			return err
		}
	}
	return nil
}

// Slow lets each answer take longer.
func (p *Proxy) Slow(by time.Duration) error {
	return p.add(`{"name": "slow", "type": "latency", "stream": "downstream", "attributes": {"latency": %d}}`, by.Milliseconds())
}

func (p *Proxy) add(toxic string, args ...any) error {
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(toxic, args...)))
	return err
}

// Heal undoes Swallow and Slow.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }
