package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// enrolDirectly is store and the entry by one statement, for the registration that most are: with a password, into a repo that is used as
// it is. It is not done where a hook may have a say in the transaction, nor of a user whose username is taken or held, while
// a blackout is closed, and beyond the quota of mails: these take the long way, which also tells why.
func (n *newcomer[U]) enrolDirectly(ctx context.Context) (done bool, err error) {
	c, o := n.core, n.options
	login, message := c.hooks.Login.Begin(), c.hooks.Message.Begin()
	if !n.enrolsDirectly(ctx) || login.HasBefore() || login.HasAfter() || message.HasBefore() || message.HasAfter() {
		return false, nil
	}
	given := n.user // who goes the long way is as they were given
	n.user = c.Plan.clone(given)
	defer func() {
		if !done {
			n.user = given
		}
	}()
	if err := n.settle(ctx); err != nil {
		return false, err
	}
	if err := c.confirmKeys(ctx); err != nil { // before there is a user
		return false, err
	}
	u := c.Plan.clone(n.user)
	device, token := c.device(nil) // the one that was given is not theirs: they are new
	x, admission, refresh, err := c.newSession(ctx, u, n.entry.options, device)
	if err != nil {
		return false, err
	}
	u.Base().LastLoginAt = new(x.CreatedAt)
	entry := store.Enrolment{
		Values: c.Plan.values(u), Derived: c.derived(u, n.names), Holds: c.holds(n.names.Username),
		Password: store.Password{Hash: n.encoded, ChangedAt: x.CreatedAt}, Admission: admission,
	}
	var mail *composed[U]
	if o.Confirmation {
		// The mail is counted before it is known whether the address is free. Of many who want it at once the others wait
		// for this one in the database, and count theirs when they are stored.
		if _, wanted := c.enrolling.LoadOrStore(*entry.Derived.Email, true); wanted {
			return false, nil
		}
		defer c.enrolling.Delete(*entry.Derived.Email)
		if c.takeMail(ctx, confirmMails, u) != nil { // which the long way tells of users who can be stored
			return false, nil
		}
		defer func() {
			if !done {
				c.giveMailBack(ctx, confirmMails, u)
			}
		}()
		m := c.linkMessage(n.user, confirmEmailLink, c.toEmail(n.user, confirmEmailLink))
		if mail, err = c.compose(ctx, message, n.user, m); err != nil {
			return false, err
		}
		if mail != nil {
			entry.Link, entry.Message = m.link, mail.row
		}
	}
	d := direct[U]{user: u, session: x, refresh: refresh, options: n.entry.options, login: login, mail: mail}
	pair, done, err := d.commit(ctx, c, func(ctx context.Context, x *store.Session) (bool, error) {
		return c.Store.EnrolUser(ctx, x, entry)
	})
	if err != nil || !done {
		return done, err
	}
	pair.DeviceToken = token
	n.entry.pair, n.entry.issued.user, n.entry.issued.known = &pair, u, true
	return true, nil
}

// enrolsDirectly says whether a user may be stored with a session and without a transaction, as far as the settings and what is
// asked for tell.
func (n *newcomer[U]) enrolsDirectly(ctx context.Context) bool {
	c, o := n.core, n.options
	if (deed{}).concerns(roster.ActorFrom(ctx)) { // the audit trail tells who made it
		return false
	}
	return n.entry != nil && c.entersAtOnce() && c.Store.Dialect() == store.PostgreSQL && !n.joins && ctx.Err() == nil &&
		n.encoded != "" && !o.Invitation && !c.Settings.Account.RequireConfirmed && (!o.Confirmation || n.user.Base().Email != nil)
}
