package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// write stores the fields that were changed, and what follows from them: a contact that changed is unproven, links to
// it are void, a username that was given up is held for its owner.
func (ch *change[U]) write(ctx context.Context, fields []*field) error {
	c, b := ch.core, ch.user.Base()
	now := c.now()
	emailChanged := !equalValues(ch.names.Email, ch.oldNames.Email)
	phoneChanged := !equalValues(ch.names.Phone, ch.oldNames.Phone)
	renamed := !equalValues(ch.names.Username, ch.oldNames.Username)
	set := make([]store.Assignment, 0, len(fields)+7)
	for _, f := range fields {
		set = append(set, store.Assignment{Column: f.Column, Value: f.value(ch.user).Interface()})
	}
	if emailChanged {
		b.EmailVerifiedAt = ch.provenAt()
		set = append(set, store.Assignment{Column: email.proven, Value: b.EmailVerifiedAt}, store.Assignment{Column: string(store.ByEmail), Value: ch.names.Email})
	}
	if phoneChanged {
		b.PhoneVerifiedAt = ch.provenAt()
		set = append(set, store.Assignment{Column: phone.proven, Value: b.PhoneVerifiedAt})
	}
	holds := store.Holds{}
	if renamed {
		set = append(set, store.Assignment{Column: string(store.ByUsername), Value: ch.names.Username})
		holds = ch.holds(ch.names.Username)
	}
	if search := c.searchText(ch.user, ch.names); search != c.searchText(ch.old, ch.oldNames) {
		set = append(set, store.Assignment{Column: "search", Value: search})
	}
	b.Version++
	b.UpdatedAt = now
	set = append(set, store.Assignment{Column: "version", Value: b.Version}, store.Assignment{Column: "updated_at", Value: now})
	if err := c.Store.UpdateUser(ctx, b.ID, set, holds); err != nil {
		return err
	}
	if renamed {
		if err := c.releaseUsername(ctx, b.ID, ch.oldNames.Username, ch.names.Username); err != nil {
			return err
		}
	}
	for _, k := range []contact{email, phone} {
		if err := ch.voidContact(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// voidContact ends what hangs on a contact that was changed: links and codes to either value, and pending changes of it.
func (ch *change[U]) voidContact(ctx context.Context, k contact) error {
	c, id := ch.core, ch.user.Base().ID
	if equalValues(k.canonical(ch.names), k.canonical(ch.oldNames)) {
		return nil
	}
	for _, address := range []*string{k.canonical(ch.oldNames), k.canonical(ch.names)} {
		if address == nil {
			continue
		}
		if err := c.Store.VoidLinks(ctx, id, *address, c.now()); err != nil {
			return err
		}
	}
	return c.endChanges(ctx, id, string(k.kind))
}

// releaseUsername keeps a username that was given up for its owner, and ends the hold of one taken back.
func (c *Core[U]) releaseUsername(ctx context.Context, owner roster.ID, old, taken *string) error {
	if taken != nil {
		if err := c.Store.ReleaseUsername(ctx, c.holds(taken)); err != nil {
			return err
		}
	}
	return c.holdUsername(ctx, &owner, old)
}

// holdUsername keeps a username from all but its owner for a while; without an owner from everybody.
func (c *Core[U]) holdUsername(ctx context.Context, owner *roster.ID, username *string) error {
	if username == nil || c.Settings.Username.HoldFor <= 0 {
		return nil
	}
	hash := c.Secrets.MAC(secrets.NameHold, []byte(*username))
	return c.Store.HoldUsername(ctx, hash, owner, c.now().Add(c.Settings.Username.HoldFor))
}
