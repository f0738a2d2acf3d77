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
	if into == nil || !into.attempt.hasRead(id) || c.Store.InTransaction(ctx) {
		return pair, false, nil
	}
	s, a, run := c.Settings.Session, into.attempt, c.hooks.Login.Begin()
	u, version := a.nominee, a.entrant.Version
	b := u.Base()
	switch {
	case version == "" || run.HasBefore() || run.HasAfter() || s.ChooseProfile != nil || s.OnLimit == RefuseNew:
		return pair, false, nil
	case b.ArchivedAt != nil || c.mayLogIn(ctx, b) != nil:
		return pair, false, nil
	}
	device, token := c.device(options.DeviceToken)
	if a.device != nil {
		device.Fresh, token = nil, ""
	} else {
		device.Given = nil
	}
	isNew := token != "" && b.LastLoginAt != nil
	var notice *composed[U]
	if isNew && options.Via != roster.ViaApp {
		if m := c.hooks.Message.Begin(); m.HasBefore() || m.HasAfter() {
			return pair, false, nil
		}
		if m, ok := c.noticeOf(u, notify.NewDevice, nil); ok {
			if notice, err = c.compose(ctx, u, m); err != nil {
				return pair, false, err
			}
		}
	}
	if err := c.confirmKeys(ctx); err != nil { // before there is a session
		return pair, false, err
	}
	x, admission, refresh, err := c.newSession(ctx, u, options, device)
	if err != nil {
		return pair, false, err
	}
	entry := store.DirectEntry{Admission: admission, Version: version}
	if notice != nil {
		entry.Notice = notice.row
	}
	err = c.Store.Autocommit(ctx, func(ctx context.Context) error {
		var err error
		done, err = c.Store.EnterSession(ctx, &x, entry)
		return err
	})
	if err != nil || !done {
		return pair, false, err
	}
	b.LastLoginAt = new(x.CreatedAt)
	if pair, err = c.sign(ctx, u, x, refresh); err != nil {
		return roster.TokenPair{}, false, err
	}
	pair.DeviceToken, pair.NewDevice = token, isNew
	if notice != nil {
		if err := c.queued(ctx, notice); err != nil {
			return roster.TokenPair{}, false, err
		}
	}
	into.user, into.known = u, true
	e := &callbacks.Login[U]{Event: c.event(ctx), User: u, Via: options.Via, AMR: options.AMR, Session: x.ID, Captcha: options.Captcha}
	return pair, true, after(ctx, c, run, e)
}

// hasRead says that the attempt has read a user with their password, and so knows a version of their row to hold on to.
func (a *attempt[U]) hasRead(id roster.ID) bool {
	return a != nil && a.read && a.known && a.nominee.Base().ID == id
}
