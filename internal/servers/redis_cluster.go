package servers

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// Cluster is a Redis Cluster of masters with a replica each.
type Cluster struct {
	Masters, Replicas []*Redis // the replica of a master has its index
}

const (
	clusterSlots = 16384
	// clusterTimeout is when the nodes take one for gone, in milliseconds.
	clusterTimeout = "2000"
)

// StartCluster starts so many masters, and as many replicas.
func StartCluster(ctx context.Context, masters int) (*Cluster, error) {
	c := &Cluster{}
	if err := c.start(ctx, masters); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, masters int) error {
	for i := range 2 * masters {
		r, err := StartRedis(ctx, "--cluster-enabled", "yes", "--cluster-node-timeout", clusterTimeout, "--repl-diskless-sync-delay", "0")
		if err != nil {
			return err
		}
		if i < masters {
			c.Masters = append(c.Masters, r)
		} else {
			c.Replicas = append(c.Replicas, r)
		}
	}
	if err := errors.Join(c.meet(ctx), c.share(ctx)); err != nil {
		return err
	}
	err := c.each(ctx, "nodes know each other", func(r *Redis) bool {
		answer, _ := r.Do(ctx, "cluster", "info")
		return valueIn(answer, "cluster_known_nodes") == strconv.Itoa(2*masters)
	})
	if err != nil {
		return err
	}
	for i, r := range c.Replicas {
		id, err := c.Masters[i].Do(ctx, "cluster", "myid")
		if err != nil {
			return err
		}
		err = until(ctx, "a replica follows", func() bool {
			_, err := r.Do(ctx, "cluster", "replicate", id)
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	// Each knows of every replica: who is not known for one is not voted for.
	return c.each(ctx, "the cluster stands", func(r *Redis) bool {
		state, _ := r.Do(ctx, "cluster", "info")
		list, _ := r.Do(ctx, "cluster", "nodes")
		text, _ := list.(string)
		link := r.info(ctx, "master_link_status")
		return valueIn(state, "cluster_state") == "ok" && strings.Count(text, "slave") == masters && (link == "" || link == "up")
	})
}

// share gives each master its part of the slots.
func (c *Cluster) share(ctx context.Context) error {
	n := len(c.Masters)
	for i, r := range c.Masters {
		slots := []any{"cluster", "addslots"}
		for slot := i * clusterSlots / n; slot < (i+1)*clusterSlots/n; slot++ {
			slots = append(slots, slot)
		}
		if _, err := r.Do(ctx, slots...); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) meet(ctx context.Context) error {
	for i, r := range c.all() {
		if _, err := r.Do(ctx, "cluster", "set-config-epoch", i+1); err != nil {
			return err
		}
	}
	for _, r := range c.all()[1:] {
		if _, err := c.Masters[0].Do(ctx, "cluster", "meet", "127.0.0.1", r.Port); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) each(ctx context.Context, what string, holds func(r *Redis) bool) error {
	for _, r := range c.all() {
		if err := until(ctx, what, func() bool { return holds(r) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) all() []*Redis { return append(append([]*Redis{}, c.Masters...), c.Replicas...) }

// Hosts are the addresses of all nodes.
func (c *Cluster) Hosts() (list []string) {
	for _, r := range c.all() {
		list = append(list, r.Host())
	}
	return list
}

// MasterOf is the index of the master that has the slot of a key at the start.
func (c *Cluster) MasterOf(ctx context.Context, key string) (int, error) {
	slot, err := c.Masters[0].Do(ctx, "cluster", "keyslot", key)
	n, _ := slot.(int64)
	for i := range c.Masters {
		if int(n) < (i+1)*clusterSlots/len(c.Masters) {
			return i, err
		}
	}
	return 0, err
}

// Close ends all nodes.
func (c *Cluster) Close() { closeAll(c.all()...) }
