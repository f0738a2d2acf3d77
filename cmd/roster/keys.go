package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

type keysCommand struct {
	List   listKeys   `cmd:"" help:"List the signing keys."`
	Rotate rotateKeys `cmd:"" help:"Let the next signing key sign."`
	Revoke revokeKey  `cmd:"" help:"Make all access tokens of a signing key invalid."`
}

type listKeys struct{}

// Run lists the signing keys: nothing of their material.
func (listKeys) Run(ctx context.Context, o *Options, t terminal) error {
	return o.keys(ctx, t, func(ctx context.Context, p *program) error { return p.printKeys(ctx, t) })
}

type rotateKeys struct{}

// Run rotates, and says when there was nothing to do.
func (rotateKeys) Run(ctx context.Context, o *Options, t terminal) error {
	return o.keys(ctx, t, func(ctx context.Context, p *program) error {
		before, err := p.repo.ListKeys(ctx)
		if err != nil {
			return err
		}
		if err := p.repo.RotateKeys(ctx); err != nil {
			return err
		}
		after, err := p.repo.ListKeys(ctx)
		if err != nil {
			return err
		}
		if before[0].KID == after[0].KID {
			fmt.Fprintln(t.err, "roster: nothing changed: the next key has to be published for 10 minutes before it signs")
		}
		return p.printKeys(ctx, t)
	})
}

type revokeKey struct {
	KID string `arg:"" help:"The key, as \"roster keys list\" names it." name:"kid"`
}

// Run revokes a key.
func (c revokeKey) Run(ctx context.Context, o *Options, t terminal) error {
	return o.keys(ctx, t, func(ctx context.Context, p *program) error {
		err := p.repo.RevokeKey(ctx, c.KID)
		if errors.Is(err, roster.ErrNotFound) {
			return fmt.Errorf("there is no key %q", c.KID)
		}
		if err != nil {
			return err
		}
		return p.printKeys(ctx, t)
	})
}

func (o *Options) keys(ctx context.Context, t terminal, fn func(ctx context.Context, p *program) error) error {
	p, err := o.open(ctx, t, sendsNothing)
	if misfit, ok := errors.AsType[store.SchemaError](err); ok {
		return anothersTable(misfit)
	}
	if err != nil {
		return err
	}
	defer p.close()
	return fn(roster.WithActor(ctx, roster.Actor{Kind: roster.ActorCLI}), p)
}

// anothersTable tells of a users table that does not fit this command, without the statements that would make it fit: it is
// that of a program with columns of its own, most likely.
func anothersTable(misfit store.SchemaError) error {
	var text strings.Builder
	text.WriteString("the users table is not that of this command:\n")
	for _, f := range misfit {
		text.WriteString(f.Problem + "\n")
	}
	return errors.New(text.String() + "the keys of another program are managed by its own ListKeys, RotateKeys and RevokeKey (docs/keys.md, \"At a leak\");\n" +
		"where it is this command's table after all, run \"roster migrate up\"")
}

func (p *program) printKeys(ctx context.Context, t terminal) error {
	keys, err := p.repo.ListKeys(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KID\tALGORITHM\tSTATE\tSINCE\tENDS")
	for _, k := range keys {
		ends := "-"
		if k.EndsAt != nil {
			ends = k.EndsAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.KID, k.Algorithm, k.State, k.ChangedAt.Format(time.RFC3339), ends)
	}
	return table.Flush()
}
