package mixins

import (
	"context"
	"errors"
	"fmt"

	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

// loadKeys reads the signing keys, and makes the first one of a new installation. Of nodes that start together one
// makes it.
func (c *Core[U]) loadKeys(ctx context.Context) error {
	var err error
	if c.refresh, err = tokens.NewRefreshCodec(c.Secrets.For(secrets.RefreshTag)); err != nil {
		return err
	}
	keys, active, err := c.readKeys(ctx)
	if err != nil {
		return err
	}
	if !active {
		if err := c.makeKey(ctx); err != nil {
			return err
		}
		if keys, _, err = c.readKeys(ctx); err != nil {
			return err
		}
	}
	set, err := tokens.NewSet(keys...)
	if err != nil {
		return err
	}
	s := c.Settings.Session
	c.issuer, err = tokens.NewIssuer(tokens.Config{Issuer: s.Issuer, Audience: s.Audience, Leeway: s.Leeway}, set)
	return err
}

func (c *Core[U]) readKeys(ctx context.Context) (keys []tokens.Key, active bool, err error) {
	rows, err := c.Store.ListKeys(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		private, err := c.Secrets.Open(secrets.SigningKeys, row.Sealed, []byte(row.KID))
		if errors.Is(err, secrets.ErrUnknownSecret) {
			return nil, false, fmt.Errorf("signing key %s is sealed under a secret that Config.Secrets does not hold: add it behind the current one", row.KID)
		}
		if err != nil {
			return nil, false, fmt.Errorf("signing key %s: %w", row.KID, err)
		}
		key, err := tokens.ParsePrivate(tokens.Algorithm(row.Algorithm), private)
		if err != nil {
			return nil, false, fmt.Errorf("signing key %s: %w", row.KID, err)
		}
		key.ID, key.State, key.CreatedAt = row.KID, tokens.State(row.State), row.CreatedAt
		active = active || key.State == tokens.Active
		keys = append(keys, key)
	}
	return keys, active, nil
}

func (c *Core[U]) makeKey(ctx context.Context) error {
	now := c.now()
	key, err := tokens.Generate(c.Settings.Session.Algorithm, now)
	if err != nil {
		return err
	}
	private, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	return c.Store.InsertKey(ctx, store.Key{
		KID: key.ID, Algorithm: string(key.Algorithm), State: string(tokens.Active),
		Sealed:    c.Secrets.Seal(secrets.SigningKeys, private, []byte(key.ID)),
		CreatedAt: now, ChangedAt: now,
	})
}

// reloadKeys puts to use what keys there are now.
func (c *Core[U]) reloadKeys(ctx context.Context) error {
	keys, _, err := c.readKeys(ctx)
	if err != nil {
		return err
	}
	set, err := tokens.NewSet(keys...)
	if err != nil {
		return err
	}
	c.issuer.Use(set)
	return nil
}
