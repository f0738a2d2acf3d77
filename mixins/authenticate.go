package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

// Authenticate implements AccountOps.
func (m Account[U]) Authenticate(ctx context.Context, credentials roster.Credentials) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "Authenticate")
	if err != nil {
		return none, err
	}
	if err := checkCredentials(credentials); err != nil {
		return none, err
	}
	ip, login := roster.ActorFrom(ctx).IP, loginOf(credentials)
	ctx, a := withAttempt[U](ctx, login)
	if credentials.Code != nil {
		defer c.quietly(ctx)()
		if a.code, err = c.aimedAt(ctx, c.codePlace(credentials).key); err != nil {
			return none, err
		}
	}
	if err := c.recognise(ctx, a, credentials); err != nil {
		return none, err
	}
	verdict, err := c.Self.IsBruteforce(ctx, ip, login)
	if err != nil {
		return none, err
	}
	if !verdict.Allowed {
		return none, c.failed(ctx, ip, login, nil, roster.FailedThrottled, verdict.Err())
	}
	if !a.looked {
		if err := c.nominate(ctx, a, credentials); err != nil {
			c.giveBack(ctx, ip, login)
			return none, err
		}
	}
	f, err := c.judgeCredentials(ctx, a, credentials)
	if err != nil {
		c.giveBack(ctx, ip, login)
		return none, err
	}
	if f.id == nil {
		var id *roster.ID
		if a.known {
			id = new(a.nominee.Base().ID)
		}
		return none, c.failed(ctx, ip, login, id, f.reason, c.wrongCredentials(verdict))
	}
	id := *f.id
	if calledBy(ctx, "Login") { // it looks at the state when it makes the session, and settles the attempt then
		if a.known && a.nominee.Base().ID == id {
			return a.nominee, nil
		}
		u, err := c.load(ctx, id)
		if err != nil {
			return none, c.refused(ctx, ip, login, id, err)
		}
		return u, nil
	}
	u, err := c.Self.Get(ctx, id)
	if err == nil {
		err = c.mayLogIn(ctx, u.Base())
	}
	if err != nil {
		return none, c.refused(ctx, ip, login, id, err)
	}
	return u, c.Self.RecordLoginSuccess(ctx, ip, login, id)
}

// wrongCredentials is the answer to a wrong secret: the same for all, but for what the lanes of the login say.
func (c *Core[U]) wrongCredentials(v roster.Verdict) error {
	if v.Lane != pairLane || !c.asksCaptcha(int64(v.Limit-v.Remaining)) {
		return roster.ErrInvalidCredentials
	}
	err := *roster.ErrInvalidCredentials
	err.Captcha = true
	return &err
}

// calledBy reports whether another operation has called that of ctx, and not a hook of it.
func calledBy(ctx context.Context, name string) bool {
	f, _ := ctx.Value(frameKey{}).(*frame)
	return f != nil && f.outer != nil && f.outer.name == name
}

func checkCredentials(credentials roster.Credentials) error {
	var faults roster.FieldErrors
	named := credentials.Login != nil || credentials.Username != nil || credentials.Email != nil || credentials.Phone != nil
	switch {
	case !named && (credentials.Handle == nil || credentials.Code == nil):
		faults.Add("login", roster.Required)
	case credentials.Handle != nil && credentials.Code == nil:
		faults.Add("handle", roster.Invalid)
	}
	switch {
	case credentials.Password == nil && credentials.Code == nil:
		faults.Add("password", roster.Required)
	case credentials.Password != nil && credentials.Code != nil:
		faults.Add("code", roster.Invalid)
	case credentials.Code != nil && tidyCode(*credentials.Code) == "":
		faults.Add("code", roster.Required)
	}
	switch credentials.Channel {
	case "", roster.ChannelEmail, roster.ChannelPhone:
	default:
		faults.Add("channel", roster.Invalid)
	}
	return faults.Err()
}

// nominate finds the user whom all given identifiers name. Nobody is known when they name none, or not the same one.
func (c *Core[U]) nominate(ctx context.Context, a *attempt[U], credentials roster.Credentials) error {
	a.looked, a.known = true, false
	a.read = c.Plain && credentials.Password != nil // no look-up is the program's own
	for _, given := range []struct {
		value *string
		kind  identifiers.Kind
	}{
		{credentials.Login, ""},
		{credentials.Username, identifiers.KindUsername},
		{credentials.Email, identifiers.KindEmail},
		{credentials.Phone, identifiers.KindPhone},
	} {
		if given.value == nil {
			continue
		}
		look := func(ctx context.Context) (U, error) { return c.lookUp(ctx, given.kind, *given.value) }
		if a.read {
			look = func(ctx context.Context) (U, error) { return c.readEntrant(ctx, a, given.kind, *given.value) }
		}
		if same, err := a.names(look(ctx)); !same || err != nil {
			return err
		}
	}
	if credentials.Handle == nil {
		return nil
	}
	_, err := a.names(c.at(ctx, c.openHandle(*credentials.Handle)))
	return err
}

// names takes a user whom an identifier names, and reports whether all so far name the same one.
func (a *attempt[U]) names(found U, err error) (bool, error) {
	same := err == nil && (!a.known || found.Base().ID == a.nominee.Base().ID)
	if errors.Is(err, roster.ErrNotFound) {
		err = nil
	}
	a.nominee, a.known = found, same
	return same, err
}

func (c *Core[U]) lookUp(ctx context.Context, kind identifiers.Kind, value string) (U, error) {
	if _, ok := c.kindOf(kind, value); !ok {
		var none U
		return none, roster.ErrNotFound
	}
	if kind == "" {
		return c.Self.GetByLogin(ctx, value)
	}
	return c.byKind(ctx, kind, value)
}

// kindOf is the kind of an identifier, "" for what it looks like; ok is false when it can be nobody's.
func (c *Core[U]) kindOf(kind identifiers.Kind, value string) (_ identifiers.Kind, ok bool) {
	if kind == "" {
		kind = identifiers.Infer(value)
	}
	return kind, len(value) <= identifiers.MaxLogin && c.kindAllowed(kind)
}

// readEntrant is lookUp, and reads the password by the same statement.
func (c *Core[U]) readEntrant(ctx context.Context, a *attempt[U], kind identifiers.Kind, value string) (U, error) {
	var none U
	kind, ok := c.kindOf(kind, value)
	if !ok {
		return none, roster.ErrNotFound
	}
	canonical, ok := c.Identifiers.Canonical(kind, value)
	if !ok {
		return none, roster.ErrNotFound
	}
	u := c.Plan.New()
	var err error
	if a.entrant, err = c.Store.GetEntrant(ctx, keyOf[kind], canonical, c.Plan.dest(u)); err != nil {
		return none, err
	}
	c.Plan.settle(u)
	return u, nil
}

// checkNobody does the work of CheckPassword for an account that is not there.
func (c *Core[U]) checkNobody(ctx context.Context, a *attempt[U], password roster.Secret) error {
	if !a.read {
		if _, err := c.Store.GetPassword(ctx, roster.NewID()); err != nil && !errors.Is(err, roster.ErrNotFound) {
			return err
		}
	}
	return c.Passwords.VerifyDummy(ctx, password)
}

// failed records the failure of an attempt, and returns answer.
func (c *Core[U]) failed(ctx context.Context, ip, login string, id *roster.ID, reason roster.LoginFailure, answer error) error {
	if err := c.Self.RecordLoginFailure(ctx, ip, login, id, reason); err != nil {
		return err
	}
	return answer
}

// errDeleted is the state of users who must look unknown to whoever logs in.
var errDeleted = &roster.Error{Code: "deleted"}

// mayLogIn judges the state of a user who has proven who they are, and tells them why they may not.
func (c *Core[U]) mayLogIn(ctx context.Context, b *roster.User) error {
	state := c.shut(b)
	if errors.Is(state, roster.ErrArchived) && archivedBySelf(b) {
		state = nil // the log-in brings them back
	}
	switch {
	case errors.Is(state, roster.ErrBanned):
		ban, err := c.banOf(ctx, b)
		if err != nil {
			return err
		}
		banned := *roster.ErrBanned
		banned.Details = map[string]any{}
		if ban.Reason != "" {
			banned.Details["reason"] = ban.Reason
		}
		if ban.Until != nil {
			banned.Details["until"] = *ban.Until
		}
		return &banned
	case state == nil && c.Settings.Account.RequireConfirmed && !b.Verified():
		return roster.ErrNotVerified
	}
	return state
}
