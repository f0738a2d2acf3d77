package mixins

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// A concealed registration gives the same answer after the same work, whether somebody has the e-mail address and phone
// number or nobody. Where one is taken, a user is stored all the same, under contacts that nobody can have, and undone
// within the transaction; then as many quotas are asked for, rows read and messages written as for a new one.

// errConcealed is what an override of Create sees where there is no new user, and errHidden how it is known again.
var (
	errConcealed = roster.ErrIdentifierTaken.WithCause(errHidden)
	errHidden    = errors.New("somebody has the contact of a concealed registration")
)

type concealKey struct{}

func concealedIn(ctx context.Context) bool {
	concealed, _ := ctx.Value(concealKey{}).(bool)
	return concealed
}

// registerConcealed is Register where nobody is told who has a contact.
func (c *Core[U]) registerConcealed(ctx context.Context, user U, password roster.Secret, o roster.RegisterOptions, giveBack func()) error {
	if b := user.Base(); b.Email != nil && b.Phone != nil {
		// What comes to the own one of two contacts would tell whether the other was free.
		o.Faults = append(roster.FieldErrors{{Field: "phone", Code: roster.ForbiddenField}}, o.Faults...)
	}
	_, err := c.Self.Create(context.WithValue(ctx, concealKey{}, true), user, c.signup(user, password, o)...)
	switch {
	case err == nil, errors.Is(err, errHidden):
		return nil
	case errors.Is(err, errVetoed) && !errors.Is(err, roster.ErrUnavailable) && ctx.Err() == nil:
		c.Logger.ErrorContext(ctx, "a concealed registration was not carried out", slog.Any("error", err))
		return nil
	}
	if !tellsTaken(err) {
		giveBack()
	}
	return err
}

// storeConcealed is Create in a concealed registration.
func (n *newcomer[U]) storeConcealed(ctx context.Context) (U, error) {
	var none U
	c, isNew := n.core, false
	err := c.Store.Transact(ctx, func(ctx context.Context) error {
		err := n.notFirst(ctx, c.Store.InTx(ctx, n.store))
		if isNew = err == nil; !isNew && !errors.Is(err, errHidden) {
			return err
		}
		return n.quietly(n.sendConcealed(ctx, isNew))
	})
	if errors.Is(err, store.ErrClosed) {
		if closed := c.closedFor(ctx, false); closed != nil {
			err = closed
		}
	}
	switch {
	case err != nil:
		return none, err
	case !isNew:
		return none, errConcealed
	}
	return n.user, nil
}

// notFirst looks at the error of somebody who registered a moment too late, as those do who came later still: a username is
// told before all else, and a contact to nobody.
func (n *newcomer[U]) notFirst(ctx context.Context, err error) error {
	if !errors.Is(err, roster.ErrIdentifierTaken) || errors.Is(err, errHidden) || len(n.taken) > 0 {
		return err
	}
	var faults roster.FieldErrors
	if err := n.core.addTaken(ctx, n.user.Base().ID, n.names, n.core.holds(n.names.Username), &faults); err != nil {
		return err
	}
	if told := n.conceal(faults).Err(); told != nil {
		return told
	}
	return errConcealed
}

// conceal keeps in mind which contacts are taken, and returns the faults that may be told.
func (n *newcomer[U]) conceal(faults roster.FieldErrors) roster.FieldErrors {
	n.taken = nil
	return slices.DeleteFunc(faults, func(f roster.FieldError) bool {
		hidden := f.Code == roster.Taken && f.Field != "username"
		if hidden {
			n.taken = append(n.taken, f.Field)
		}
		return hidden
	})
}

// disguised is the user as they are stored: whose contact is taken, with contacts that nobody can have.
func (n *newcomer[U]) disguised() (U, names) {
	if len(n.taken) == 0 {
		return n.user, n.names
	}
	u, hidden := n.core.Plan.clone(n.user), n.names
	for _, k := range []contact{email, phone} {
		if *k.value(u.Base()) != nil {
			nobodys := roster.NewID().String()
			*k.value(u.Base()), *hidden.slots()[k.slot] = &nobodys, &nobodys
		}
	}
	return u, hidden
}

// quietly marks the error of a hook as one that nobody is told who is not told either whether there is an account.
func (n *newcomer[U]) quietly(err error) error {
	if err == nil || !n.concealed {
		return err
	}
	return veto{err}
}

// sendConcealed sends a new user what proves their contact, or tells the owner of a taken one.
func (n *newcomer[U]) sendConcealed(ctx context.Context, isNew bool) error {
	c, k := n.core, email
	if n.names.Email == nil || !isNew && !slices.Contains(n.taken, string(email.kind)) {
		k = phone
	}
	canonical := text(k.canonical(n.names))
	if canonical == "" {
		return nil // with a username alone there is nothing to conceal
	}
	within, err := n.withinConcealed(ctx, canonical, isNew)
	if err != nil {
		return err
	}
	owner := c.Plan.New()
	err = c.Store.GetUser(ctx, keyOf[slotKinds[k.slot]], canonical, c.Plan.dest(owner))
	if err != nil && !errors.Is(err, roster.ErrNotFound) {
		return err
	}
	known := err == nil
	c.Plan.settle(owner)
	switch {
	case !known, !within:
	case isNew && k.kind == email.kind && n.options.Invitation:
		return c.Self.RequestPasswordSet(withPrepaid(ctx, owner), owner.Base().ID)
	case isNew && k.kind == email.kind && n.options.Confirmation:
		return c.Self.RequestEmailConfirmation(withPrepaid(ctx, owner), owner.Base().ID)
	case isNew && k.kind == phone.kind && n.options.Confirmation:
		return c.Self.RequestPhoneConfirmation(withPrepaid(ctx, owner), owner.Base().ID)
	case !isNew && !owner.Base().Deleted() && !c.shutOut(owner.Base()) && c.sender(k.channel) != nil:
		return c.tellOwner(ctx, owner, k)
	}
	return c.sendNothing(ctx, roster.NewID())
}

// prepaid is a new user whose message has been taken from all quotas already. What programs override sends it, by no more
// statements than the owner of a taken contact is told by.
type prepaid[U roster.Model] struct {
	user U
	sent bool
}

type prepaidKey struct{}

func withPrepaid[U roster.Model](ctx context.Context, u U) context.Context {
	return context.WithValue(ctx, prepaidKey{}, &prepaid[U]{user: u})
}

// prepaid returns the user of a running registration to whom a message is due, once.
func (c *Core[U]) prepaid(ctx context.Context, id roster.ID) (U, bool) {
	p, ok := ctx.Value(prepaidKey{}).(*prepaid[U])
	if !ok || p.sent || p.user.Base().ID != id || !c.Store.InTransaction(ctx) {
		var none U
		return none, false
	}
	p.sent = true
	return p.user, true
}

// withinConcealed takes from the quotas of the message that is to be sent, and as much from those of nobody.
func (n *newcomer[U]) withinConcealed(ctx context.Context, canonical string, isNew bool) (bool, error) {
	c, nobody := n.core, roster.NewID().String()
	confirms, exists := canonical, nobody
	if !isNew {
		confirms, exists = nobody, canonical
	}
	mayConfirm, err := c.within(ctx, c.Settings.Protection.Mails, c.mailTarget(n.confirmQuota(), confirms))
	if err != nil {
		return false, err
	}
	mayTell, err := c.within(ctx, c.Settings.Protection.ExistingAccounts, c.mailTarget(notify.AccountExists, exists))
	if err != nil {
		return false, err
	}
	within := isNew && mayConfirm || !isNew && mayTell
	if !within { // what is not sent uses up nothing of what may be, and takes as long
		canonical = nobody
	}
	ofAnyKind, err := c.takeTarget(ctx, canonical)
	return within && ofAnyKind, err
}

func (n *newcomer[U]) confirmQuota() string {
	if n.options.Invitation {
		return resetQuota
	}
	return confirmMails
}

// tellOwner tells the owner of an account that somebody tried to use their contact, by as many statements as a link takes.
func (c *Core[U]) tellOwner(ctx context.Context, owner U, k contact) error {
	if err := c.Store.VoidLinks(ctx, roster.NewID(), "nobody", c.now(), ""); err != nil {
		return err
	}
	return c.queue(ctx, owner, outgoing{
		kind: notify.AccountExists, channel: k.channel, to: **k.value(owner.Base()), priority: urgent,
	})
}

// hidesUnproven reports whether an account must look as if its password were wrong: else registering, and logging in with
// the password that was given, would tell whether the contact was free.
func (c *Core[U]) hidesUnproven(b *roster.User) bool {
	return c.Settings.Account.ConcealRegistration && c.Settings.Account.RequireConfirmed && !b.Verified()
}
