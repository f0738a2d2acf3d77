package mixins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

const (
	// publishFor is how long verifiers can read a key before it signs.
	publishFor = 10 * time.Minute
	// keepKeys is how long retired and revoked keys stay in the database; no token lives longer than an hour.
	keepKeys = day
)

var errGivenKeys = roster.ErrConflict.WithMessage("the signing keys are those of Config.Keys: change them there, on all nodes")

// loadKeys reads the signing keys, and makes those that a new installation lacks.
func (c *Core[U]) loadKeys(ctx context.Context) error {
	var err error
	if c.refresh, err = tokens.NewRefreshCodec(c.Secrets.For(secrets.RefreshTag)); err != nil {
		return err
	}
	c.ring.gate = make(chan struct{}, 1)
	set := c.Keys
	if set == nil {
		if set, err = c.firstKeys(ctx); err != nil {
			return err
		}
	}
	s := c.Settings.Session
	c.issuer, err = tokens.NewIssuer(tokens.Config{Issuer: s.Issuer, Audience: s.Audience, Leeway: s.Leeway}, set)
	return err
}

func (c *Core[U]) firstKeys(ctx context.Context) (*tokens.Set, error) {
	now := c.now()
	keys, err := c.Store.ListKeys(ctx)
	if err != nil {
		return nil, err
	}
	if !c.complete(keys) {
		now = c.now()
		if keys, err = c.completeKeys(ctx, keys); err != nil {
			return nil, err
		}
	}
	set, err := c.setOf(keys)
	if err == nil {
		c.ring.took(keys, now)
	}
	return set, err
}

// complete reports whether there is a key that signs, and one that will with the algorithm of the settings.
func (c *Core[U]) complete(keys []store.Key) bool {
	_, active := inState(keys, tokens.Active)
	next, found := inState(keys, tokens.Next)
	return active && found && next.Algorithm == string(c.Settings.Session.Algorithm)
}

// completeKeys makes what is lacking. Of nodes that start together one does.
func (c *Core[U]) completeKeys(ctx context.Context, keys []store.Key) ([]store.Key, error) {
	next, err := c.makeKey()
	if err != nil {
		return nil, err
	}
	var first store.Key
	if _, found := inState(keys, tokens.Active); !found {
		if first, err = c.makeKey(); err != nil {
			return nil, err
		}
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		if keys, err = c.lockKeys(ctx); err != nil || c.complete(keys) {
			return err
		}
		now := c.now()
		if _, found := inState(keys, tokens.Active); !found {
			if err := c.insertKey(ctx, first, tokens.Active, now); err != nil {
				return err
			}
		}
		if other, found := inState(keys, tokens.Next); found { // of another algorithm; it has never signed
			if err := c.Store.DeleteKey(ctx, other.KID); err != nil {
				return err
			}
		}
		if err := c.insertKey(ctx, next, tokens.Next, now); err != nil {
			return err
		}
		keys, err = c.Store.ListKeys(ctx)
		return err
	})
	return keys, err
}

// lockKeys reads the keys, which nobody else changes until the transaction of ctx ends.
func (c *Core[U]) lockKeys(ctx context.Context) ([]store.Key, error) {
	if err := c.Store.LockState(ctx); err != nil {
		return nil, err
	}
	return c.Store.ListKeys(ctx)
}

func (c *Core[U]) insertKey(ctx context.Context, key store.Key, state tokens.State, now time.Time) error {
	key.State, key.CreatedAt, key.ChangedAt = string(state), now, now
	return c.Store.InsertKey(ctx, key)
}

// makeKey makes a key of the algorithm of the settings, sealed. That of an RSA key takes seconds: it belongs before the
// transaction.
func (c *Core[U]) makeKey() (store.Key, error) {
	key, err := tokens.Generate(c.Settings.Session.Algorithm, c.now())
	if err != nil {
		return store.Key{}, err
	}
	private, err := key.MarshalPrivate()
	if err != nil {
		return store.Key{}, err
	}
	return store.Key{
		KID: key.ID, Algorithm: string(key.Algorithm), Sealed: c.Secrets.Seal(secrets.SigningKeys, private, []byte(key.ID)),
	}, nil
}

func inState(keys []store.Key, state tokens.State) (store.Key, bool) {
	i := slices.IndexFunc(keys, func(k store.Key) bool { return k.State == string(state) })
	if i < 0 {
		return store.Key{}, false
	}
	return keys[i], true
}

func stateOf(keys []store.Key, kid string) (tokens.State, error) {
	i := slices.IndexFunc(keys, func(k store.Key) bool { return k.KID == kid })
	if i < 0 {
		return "", roster.ErrNotFound
	}
	return tokens.State(keys[i].State), nil
}

// setOf opens stored keys.
func (c *Core[U]) setOf(rows []store.Key) (*tokens.Set, error) {
	keys := make([]tokens.Key, 0, len(rows))
	for _, row := range rows {
		key, err := c.openKey(row)
		switch {
		case err == nil:
			keys = append(keys, key)
		case c.issuer == nil || row.State == string(tokens.Active):
			return nil, err
		default: // what other nodes do with their keys must not keep this one from what it needs to know of the rest
			c.Logger.Error("a signing key cannot be read: its tokens are refused", slog.Any("error", err)) //nolint:sloglint // at no request
		}
	}
	return tokens.NewSet(keys...)
}

func (c *Core[U]) openKey(row store.Key) (key tokens.Key, err error) {
	if row.State != string(tokens.Revoked) {
		private, err := c.Secrets.Open(secrets.SigningKeys, row.Sealed, []byte(row.KID))
		if errors.Is(err, secrets.ErrUnknownSecret) {
			return key, fmt.Errorf("signing key %s is sealed under a secret that Config.Secrets does not hold: add it behind the current one", row.KID)
		}
		if err == nil {
			key, err = tokens.ParsePrivate(tokens.Algorithm(row.Algorithm), private)
		}
		if err != nil {
			return key, fmt.Errorf("signing key %s: %w", row.KID, err)
		}
	}
	key.ID, key.Algorithm, key.State, key.CreatedAt = row.KID, tokens.Algorithm(row.Algorithm), tokens.State(row.State), row.CreatedAt
	switch key.State {
	case tokens.Active:
		key.ActivatedAt = row.ChangedAt
	case tokens.Retired:
		key.RetiredAt, key.EndsAt = row.ChangedAt, c.endOf(row)
	case tokens.Revoked:
		key.RevokedAt = row.ChangedAt
	case tokens.Next:
	}
	return key, nil
}

// endOf is when the last token of a retired key has ended.
func (c *Core[U]) endOf(row store.Key) time.Time {
	return row.ChangedAt.Add(c.Settings.Session.AccessTTL + c.Settings.Session.Leeway)
}

// ListKeys implements SessionOps.
func (m Session[U]) ListKeys(ctx context.Context) ([]roster.SigningKey, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ListKeys")
	if err != nil {
		return nil, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return nil, err
	}
	if c.Keys != nil {
		return givenKeys(c.Keys.Keys()), nil
	}
	rows, err := c.Store.ListKeys(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]roster.SigningKey, len(rows))
	for i, row := range rows {
		list[i] = roster.SigningKey{
			KID: row.KID, Algorithm: row.Algorithm, State: row.State, CreatedAt: row.CreatedAt, ChangedAt: row.ChangedAt,
		}
		if row.State == string(tokens.Retired) {
			list[i].EndsAt = new(c.endOf(row))
		}
	}
	states := []string{string(tokens.Active), string(tokens.Next), string(tokens.Retired), string(tokens.Revoked)}
	slices.SortStableFunc(list, func(a, b roster.SigningKey) int {
		return cmp.Or(cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)), b.ChangedAt.Compare(a.ChangedAt))
	})
	return list, nil
}

func givenKeys(keys []tokens.Key) []roster.SigningKey {
	list := make([]roster.SigningKey, len(keys))
	for i, k := range keys {
		changed := map[tokens.State]time.Time{
			tokens.Next: k.CreatedAt, tokens.Active: k.ActivatedAt, tokens.Retired: k.RetiredAt, tokens.Revoked: k.RevokedAt,
		}
		list[i] = roster.SigningKey{
			KID: k.ID, Algorithm: string(k.Algorithm), State: string(k.State), CreatedAt: k.CreatedAt, ChangedAt: changed[k.State],
		}
		if !k.EndsAt.IsZero() {
			list[i].EndsAt = &k.EndsAt
		}
	}
	return list
}

// RotateKeys implements SessionOps.
func (m Session[U]) RotateKeys(ctx context.Context) error {
	c := m.core
	ctx, err := c.enter(ctx, "RotateKeys")
	if err != nil {
		return err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return err
	}
	if c.Keys != nil {
		return errGivenKeys
	}
	keys, err := c.Store.ListKeys(ctx)
	if err != nil {
		return err
	}
	if !c.due(keys) { // another node has done it
		c.Store.AfterCommit(ctx, func(ctx context.Context) { c.adoptKeys(ctx, keys) })
		return nil
	}
	fresh, err := c.makeKey()
	if err != nil {
		return err
	}
	return c.turnKeys(ctx, func(ctx context.Context, keys []store.Key) error {
		if !c.due(keys) {
			return nil
		}
		now := c.now()
		active, _ := inState(keys, tokens.Active)
		next, found := inState(keys, tokens.Next)
		if !found { // somebody has removed it: it takes its time again
			return c.insertKey(ctx, fresh, tokens.Next, now)
		}
		if err := c.Store.SetKeyState(ctx, active.KID, string(tokens.Retired), now); err != nil {
			return err
		}
		if err := c.Store.SetKeyState(ctx, next.KID, string(tokens.Active), now); err != nil {
			return err
		}
		if err := c.insertKey(ctx, fresh, tokens.Next, now); err != nil {
			return err
		}
		return c.recordDeed(ctx, deed{action: "key.rotate", always: true, changes: map[string]any{
			"retired": active.KID, "active": next.KID, "next": fresh.KID,
		}})
	})
}

// due reports whether there is something to do: the next key has been published for long enough, or is not there.
func (c *Core[U]) due(keys []store.Key) bool {
	next, found := inState(keys, tokens.Next)
	return !found || !c.now().Before(next.CreatedAt.Add(publishFor))
}

// RevokeKey implements SessionOps.
func (m Session[U]) RevokeKey(ctx context.Context, kid string) error {
	c := m.core
	ctx, err := c.enter(ctx, "RevokeKey")
	if err != nil {
		return err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return err
	}
	if c.Keys != nil {
		return errGivenKeys
	}
	keys, err := c.Store.ListKeys(ctx)
	if err != nil {
		return err
	}
	was, err := stateOf(keys, kid)
	if err != nil {
		return err
	}
	var fresh store.Key
	if was == tokens.Next || was == tokens.Active { // a state to which nothing comes back
		if fresh, err = c.makeKey(); err != nil {
			return err
		}
	}
	return c.turnKeys(ctx, func(ctx context.Context, keys []store.Key) error {
		was, err := stateOf(keys, kid)
		if err != nil || was == tokens.Revoked {
			return err
		}
		now := c.now()
		if err := c.Store.ForgetKey(ctx, kid, string(tokens.Revoked), now); err != nil {
			return err
		}
		changes := map[string]any{"revoked": kid, "state": was}
		next, found := inState(keys, tokens.Next)
		switch {
		case was == tokens.Active && found:
			if err := c.Store.SetKeyState(ctx, next.KID, string(tokens.Active), now); err != nil {
				return err
			}
			changes["active"] = next.KID
			fallthrough
		case was == tokens.Next:
			if err := c.insertKey(ctx, fresh, tokens.Next, now); err != nil {
				return err
			}
			changes["next"] = fresh.KID
		case was == tokens.Active:
			if err := c.insertKey(ctx, fresh, tokens.Active, now); err != nil {
				return err
			}
			changes["active"] = fresh.KID
		}
		return c.recordDeed(ctx, deed{action: "key.revoke", always: true, changes: changes})
	})
}

// turnKeys runs a change of the keys, of one node at a time, and puts them to use here once it is committed.
func (c *Core[U]) turnKeys(ctx context.Context, change func(ctx context.Context, keys []store.Key) error) error {
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		keys, err := c.lockKeys(ctx)
		if err != nil {
			return err
		}
		if err := change(ctx, keys); err != nil {
			return err
		}
		if keys, err = c.Store.ListKeys(ctx); err != nil {
			return err
		}
		c.Store.AfterCommit(ctx, func(ctx context.Context) { c.adoptKeys(ctx, keys) })
		c.Store.OnRollback(ctx, func(context.Context) {
			c.ring.readAt.Store(0)
			c.view.distrust()
		})
		return nil
	})
}

// tendKeys learns what other nodes did, and rotates when the active key is old.
func (c *Core[U]) tendKeys(ctx context.Context) {
	if c.Keys != nil {
		return
	}
	err := c.reloadKeys(ctx)
	life, active := c.Settings.Session.KeyLife, c.issuer.Keys().Keys()[0]
	if err == nil && life > 0 && !c.now().Before(active.ActivatedAt.Add(life)) {
		err = c.Self.RotateKeys(ctx)
	}
	if err != nil && ctx.Err() == nil {
		c.Logger.ErrorContext(ctx, "signing keys were not looked after", slog.Any("error", err))
	}
}
