package mixins

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// Where registrations are concealed, a change to a contact that somebody has goes as far as one to a free contact: it is
// pending, the old contact can take it back, and codes are tried in vain as often. But nothing proves it, and the owner is
// told. Both ways ask for as many quotas and write as much.

// concealsContacts reports whether who changes a contact is not told that somebody has the new one. Administrators are:
// they can look.
func (c *Core[U]) concealsContacts(ctx context.Context) bool {
	kind := roster.ActorFrom(ctx).Kind
	return c.Settings.Account.ConcealRegistration && kind != roster.ActorAdmin && kind != roster.ActorCLI
}

// proveConcealed is proveChange where nobody is told whether the new contact is taken.
func (c *Core[U]) proveConcealed(ctx context.Context, u U, k contact, asked store.Change, taken bool) error {
	told := roster.NewID().String() // nobody
	if taken {
		told = asked.Canonical
	}
	within, err := c.within(ctx, c.Settings.Protection.ExistingAccounts, c.mailTarget(notify.AccountExists, told))
	if err != nil {
		return err
	}
	if !within {
		told = roster.NewID().String()
	}
	ofAnyKind, err := c.takeTarget(ctx, told)
	if err != nil {
		return err
	}
	owner := c.Plan.New()
	err = c.Store.GetUser(ctx, keyOf[slotKinds[k.slot]], asked.Canonical, c.Plan.dest(owner))
	if err != nil && !errors.Is(err, roster.ErrNotFound) {
		return err
	}
	if !taken {
		return c.proveChange(ctx, u, k, asked)
	}
	known := err == nil && within && ofAnyKind
	c.Plan.settle(owner)
	return c.proveNothing(ctx, u, k, asked, owner, known && !owner.Base().Deleted() && !c.shutOut(owner.Base()))
}

// proveNothing stores a link or a code that nobody can ever give, and tells the owner of the contact if they are to be told.
func (c *Core[U]) proveNothing(ctx context.Context, u U, k contact, asked store.Change, owner U, tell bool) error {
	if err := c.checkSender(k.channel); err != nil {
		return err
	}
	id, now := u.Base().ID, c.now()
	hash := make([]byte, codeNonce+tokenBytes)
	_, _ = rand.Read(hash) // it never fails; without randomness the program ends
	link := store.Link{
		Hash: hash, Purpose: changeEmailLink.purpose, UserID: id, Address: asked.Canonical, ChangeID: &asked.ID,
		CreatedAt: now, ExpiresAt: now.Add(changeEmailLink.ttl(c.Settings)),
	}
	if k.kind == callbacks.Phone {
		link.Purpose, link.ExpiresAt = store.CodeFor(changePurpose, string(k.kind)), now.Add(c.Settings.OneTime.CodeTTL)
		if err := c.Store.VoidLinks(ctx, id, "", now, link.Purpose); err != nil {
			return err
		}
	}
	if !tell || !c.Settings.Notify.enabled(notify.AccountExists) {
		if err := c.Store.QueueHollow(ctx, link, c.nothing()); err != nil {
			return err
		}
		c.Store.AfterCommit(ctx, func(context.Context) { c.wake() })
		return nil
	}
	err := c.queue(ctx, owner, outgoing{
		kind: notify.AccountExists, channel: k.channel, to: **k.value(owner.Base()), priority: urgent, link: &link, detached: true,
	})
	if err != nil {
		return veto{err} // of a hook, perhaps: to tell it would tell that there is an owner
	}
	return nil
}
