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
	// What is on its way is not given up: it would be told as an error, and yet be done.
	err = c.Store.Autocommit(context.WithoutCancel(ctx), func(ctx context.Context) error {
		var err error
		done, err = c.Store.EnterSession(ctx, &x, entry)
		return err
	})
	if err != nil || !done {
		return pair, false, err
	}
	if pair, err = c.sign(ctx, u, x, refresh); err != nil {
		return roster.TokenPair{}, true, err
	}
	pair.DeviceToken, pair.NewDevice = token, isNew
	into.user, into.known = u, true
	if notice != nil {
		if err := c.queued(ctx, notice); err != nil {
			return roster.TokenPair{}, true, err
		}
	}
	e := &callbacks.Login[U]{Event: c.event(ctx), User: u, Via: options.Via, AMR: options.AMR, Session: x.ID, Captcha: options.Captcha}
	return pair, true, after(ctx, c, login, e)
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
