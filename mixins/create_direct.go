package mixins

import (
	"cmp"
	"context"

	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// enrolDirectly is store and the entry by one statement, for the registration that most are: with a password, into a repo that is used as
// it is. It is not done where a hook may have a say in the transaction, or where something refuses the user: these take
// the long way, which also tells what.
func (n *newcomer[U]) enrolDirectly(ctx context.Context) (done bool, err error) {
	c, o := n.core, n.options
	if !n.enrolsDirectly(ctx) {
		return false, nil
	}
	create := &callbacks.Create[U]{Event: c.event(ctx), User: n.user, Via: cmp.Or(o.Via, viaOf(ctx)), Captcha: o.Captcha}
	if d, told := c.deedOf(ctx, create); told && d.concerns(create.Actor) {
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
	_, names := n.disguised()
	entry := store.Enrolment{
		Values: c.Plan.values(u), Derived: c.derived(u, names), Holds: c.holds(names.Username),
		Password: store.Password{Hash: n.encoded, ChangedAt: x.CreatedAt}, Admission: admission,
	}
	var mail *composed[U]
	if o.Confirmation {
		if c.takeMail(ctx, confirmMails, u) != nil { // that is told of a user who can be stored
			return false, nil
		}
		defer func() {
			if !done {
				c.giveMailBack(ctx, confirmMails, u)
			}
		}()
		m := c.linkMessage(n.user, confirmEmailLink, c.toEmail(n.user, confirmEmailLink))
		if mail, err = c.compose(ctx, c.hooks.Message.Begin(), n.user, m); err != nil {
			return false, err
		}
		if mail != nil {
			entry.Link, entry.Message = m.link, mail.row
		}
	}
	// What is on its way is not given up: it would be told as an error, and yet be done.
	err = c.Store.Autocommit(context.WithoutCancel(ctx), func(ctx context.Context) error {
		var err error
		done, err = c.Store.EnrolUser(ctx, &x, entry)
		return err
	})
	if err != nil || !done {
		return false, err
	}
	pair, err := c.sign(ctx, u, x, refresh)
	if err != nil {
		return true, err
	}
	pair.DeviceToken = token
	n.entry.pair, n.entry.issued.user, n.entry.issued.known = &pair, u, true
	if mail != nil {
		if err := c.queued(ctx, mail); err != nil {
			return true, err
		}
	}
	login := &callbacks.Login[U]{
		Event: c.event(ctx), User: u, Via: n.entry.options.Via, AMR: n.entry.options.AMR, Session: x.ID, Captcha: n.entry.options.Captcha,
	}
	return true, after(ctx, c, c.hooks.Login.Begin(), login)
}

// enrolsDirectly says whether a user may be stored with a session and without a transaction, as far as the settings and what is
// asked for tell.
func (n *newcomer[U]) enrolsDirectly(ctx context.Context) bool {
	c, o := n.core, n.options
	return n.entry != nil && c.entersAtOnce() && c.Store.Dialect() == store.PostgreSQL && !n.joins && ctx.Err() == nil &&
		n.encoded != "" && !o.Invitation && !c.Settings.Account.RequireConfirmed && (!o.Confirmation || n.user.Base().Email != nil)
}
