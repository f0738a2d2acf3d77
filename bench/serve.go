package main

import (
	"context"
	"fmt"
)

// serve starts everything on the largest database and waits, for whoever wants to look closer.
func (b *bench) serve(ctx context.Context) error {
	s, err := b.stage(ctx, b.users)
	if err != nil {
		return err
	}
	embed, err := b.startOwn(ctx, "embed", s.database, "-redis="+b.redis.address)
	if err != nil {
		return err
	}
	fmt.Printf("database %s\nroster   http://%s/api (process %d)\nfloor    http://%s/api (process %d)\nembed    http://%s/api, /profile/cpu, /profile/allocs (process %d)\ntoken    %s\n",
		b.postgres.Address(s.database), s.roster.addr, s.roster.pid(), s.floor.addr, s.floor.pid(), embed.addr, embed.pid(), s.tokens[0].Access)
	<-ctx.Done()
	return nil
}
