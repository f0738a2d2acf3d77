package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// enterDirectly is IssueTokens by one statement, for the log-in that most are: by a user whom the attempt has read, into a repo that
// is used as it is. It is not done where a hook may have a say in the transaction, a session has to give way, or something has
// overtaken the log-in since the user was read: these take the long way, which also tells what refuses.
func (c *Core[U]) enterDirectly(ctx context.Context, id roster.ID, options roster.IssueOptions, into *issued[U]) (pair roster.TokenPair, done bool, err error) {
	login, message := c.hooks.Login.Begin(), c.hooks.Message.Begin()
	if into == nil || !c.entersDirectly(ctx, id, into.attempt) ||
		login.HasBefore() || login.HasAfter() || message.HasBefore() || message.HasAfter() {
		return pair, false, nil
	}
	a := into.attempt
	device, token := c.device(options.DeviceToken)
	if a.device != nil {
		device.Fresh, token = nil, ""
	} else {
		device.Given = nil
	}
	if err := c.confirmKeys(ctx); err != nil { // before there is a session
		return pair, false, err
	}
	u := c.Plan.clone(a.nominee) // who goes the long way is as they were read
	x, admission, refresh, err := c.newSession(ctx, u, options, device)
	if err != nil {
		return pair, false, err
	}
	if p := a.entrant.Password; p == nil || p.Failures == 0 {
		admission.Touch.CloseAfter = 0 // there is nothing to forget; what was counted since is left to the next log-in
	}
	isNew := token != "" && u.Base().LastLoginAt != nil
	u.Base().LastLoginAt = new(x.CreatedAt)
	entry := store.DirectEntry{Admission: admission, Version: a.entrant.Version}
	var notice *composed[U]
	if m, ok := c.noticeOf(u, notify.NewDevice, nil); ok && isNew && options.Via != roster.ViaApp {
		if notice, err = c.compose(ctx, message, u, m); err != nil {
			return pair, false, err
		}
	}
	if notice != nil {
		entry.Notice = notice.row
	}
	d := direct[U]{user: u, session: x, refresh: refresh, options: options, login: login, mail: notice}
	pair, done, err = d.commit(ctx, c, func(ctx context.Context, x *store.Session) (bool, error) {
		return c.Store.EnterSession(ctx, x, entry)
	})
	if err != nil || !done {
		return roster.TokenPair{}, done, err
	}
	pair.DeviceToken, pair.NewDevice = token, isNew
	into.user, into.known = u, true
	return pair, true, nil
}

// direct is a session that one statement makes, and what comes of it.
type direct[U roster.Model] struct {
	user    U
	session store.Session
	refresh roster.Secret
	options roster.IssueOptions
	login   callbacks.Run[*callbacks.Login[U]]
	mail    *composed[U] // which the statement queues; nil: none
}

// commit runs the statement, which reports whether it has done anything.
func (d *direct[U]) commit(ctx context.Context, c *Core[U], statement func(ctx context.Context, x *store.Session) (bool, error)) (pair roster.TokenPair, done bool, err error) {
	// What is on its way is not given up: it would be told as an error, and yet be done.
	err = c.Store.Autocommit(context.WithoutCancel(ctx), func(ctx context.Context) error {
		var err error
		done, err = statement(ctx, &d.session)
		return err
	})
	if err != nil || !done {
		return pair, false, err
	}
	if pair, err = c.sign(ctx, d.user, d.session, d.refresh); err != nil {
		return pair, true, err
	}
	if d.mail != nil {
		if err := c.queued(ctx, d.mail); err != nil {
			return pair, true, err
		}
	}
	e := &callbacks.Login[U]{
		Event: c.event(ctx), User: d.user, Via: d.options.Via, AMR: d.options.AMR, Session: d.session.ID, Captcha: d.options.Captcha,
	}
	return pair, true, after(ctx, c, d.login, e)
}

// entersDirectly says whether a session may be made without a transaction, as far as the settings, the attempt and the user tell.
func (c *Core[U]) entersDirectly(ctx context.Context, id roster.ID, a *attempt[U]) bool {
	s := c.Settings.Session
	if !a.hasRead(id) || a.entrant.Version == "" || ctx.Err() != nil || c.Store.InTransaction(ctx) ||
		s.ChooseProfile != nil || s.OnLimit == RefuseNew {
		return false
	}
	b := a.nominee.Base()
	return b.ArchivedAt == nil && c.mayLogIn(ctx, b) == nil
}

// hasRead says that the attempt has read a user with their password; on PostgreSQL it knows the version of their row too.
func (a *attempt[U]) hasRead(id roster.ID) bool {
	return a != nil && a.read && a.known && a.nominee.Base().ID == id
}
