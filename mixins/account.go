package mixins

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
)

// Account is the component of what people do with their own account.
type Account[U roster.Model] struct{ core *Core[U] }

// NewAccount returns the component on a core.
func NewAccount[U roster.Model](c *Core[U]) Account[U] { return Account[U]{c} }

// AccountOps are the operations of Account.
type AccountOps[U roster.Model] interface {
	// Register makes an account for a person and logs them in where an unproven contact allows it; the tokens are nil
	// otherwise, and when a BeforeLogin hook refuses. Any other error of issuing them is returned, without the user. Where the
	// program has hooks or overrides, the account was committed before and stays then; else both are in one transaction. What
	// joined a transaction in ctx is undone with that. An address of the
	// network may register 20 times an hour by default (Protection.Registration); beyond that it is
	// roster.ErrTooManyRequests. With Account.ConcealRegistration there is neither a user nor tokens, whether the e-mail
	// address and phone number were free or taken; the owner of a taken one is told. A taken username still is
	// roster.ErrIdentifierTaken.
	Register(ctx context.Context, user U, password roster.Secret, options ...roster.RegisterOption) (U, *roster.TokenPair, error)

	// Authenticate returns the user whom credentials belong to, by the back ends of Account.Backends. Unknown users, wrong
	// passwords, users without one and wrong codes are the same roster.ErrInvalidCredentials, after the same work; only a
	// right secret is told of a ban. It counts the attempt and makes no session. A right code is spent by it.
	Authenticate(ctx context.Context, credentials roster.Credentials) (U, error)

	// Login authenticates by a password or a one-time code and makes a session. An account that its owner has archived is
	// back in use then.
	Login(ctx context.Context, credentials roster.Credentials) (roster.Login[U], error)

	// Logout ends the session of a refresh token, or of an access token, expired ones too. A session that has ended is
	// no error; what is no token of ours is roster.ErrInvalidToken.
	Logout(ctx context.Context, token roster.Secret) error

	// Archive puts a user's own account aside until they log in again: all their sessions and devices end. The user must have
	// proven a contact, else it is roster.ErrNotVerified, and gives their password: a wrong one is roster.ErrInvalidPassword.
	// Who has none gives "" and needs a fresh session, else it is roster.ErrReauthentication. Nobody does it for others but
	// the program itself. The last superuser is roster.ErrLastSuperuser.
	Archive(ctx context.Context, id roster.ID, password roster.Secret) error

	// Close deletes a user's own account as Config.Account.CloseMode says, deactivating it by default, and tells them so at
	// their proven contacts. It asks for what Archive does; an account that is closed is roster.ErrNotFound.
	Close(ctx context.Context, id roster.ID, password roster.Secret) error

	// ExportAccount writes one JSON document of all that is stored about a user: {version, exported_at, user, contacts,
	// identities, sessions, audit, messages, extra}. There is no hash, token, code or key in it, no note of an administrator,
	// and nothing about other people; fields without a name in JSON are left out. What was written before an error is no whole
	// document. Nobody does it for others but the program itself. An account can be exported 5 times in 24 h by default
	// (Protection.Exports); beyond that it is roster.ErrQuotaExhausted.
	ExportAccount(ctx context.Context, id roster.ID, w io.Writer) error

	// ExportExtra returns the member extra of that document: what Config.Account.Export returns, and by default nothing. It is
	// for programs to override.
	ExportExtra(ctx context.Context, user U) (map[string]any, error)

	// UpdateAccount changes a user's own fields by a JSON object: members of fields tagged "update", the language and
	// the time zone. Absent members stay, null clears; with any fault nothing is written.
	UpdateAccount(ctx context.Context, id roster.ID, patch json.RawMessage, options ...roster.UpdateOption) (U, error)
}

// Register implements AccountOps.
func (m Account[U]) Register(ctx context.Context, user U, password roster.Secret, options ...roster.RegisterOption) (U, *roster.TokenPair, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "Register")
	if err != nil {
		return none, nil, err
	}
	if c.Settings.Account.RegistrationClosed {
		return none, nil, roster.ErrRegistrationClosed
	}
	if any(user) == any(none) {
		return none, nil, roster.ErrInvalidInput.WithMessage("no user was given")
	}
	o := roster.RegisterOptionsOf(options...)
	giveBack, err := c.takeRegistration(ctx)
	if err != nil {
		return none, nil, err
	}
	if c.Settings.Account.ConcealRegistration {
		return none, nil, c.registerConcealed(ctx, user, password, o, giveBack)
	}
	issue := roster.IssueOptions{Via: roster.ViaSignup, Remember: o.Remember, Captcha: o.Captcha, DeviceToken: o.DeviceToken, Client: o.Client}
	if !o.WithoutPassword {
		issue.AMR = []string{"pwd"}
	}
	entry := newEntry[U]{options: issue}
	storing := ctx
	if entry.issued.stored = c.entersAtOnce(); entry.issued.stored {
		storing = context.WithValue(ctx, enterKey{}, &entry)
	}
	created, err := c.Self.Create(storing, user, c.signup(user, password, o)...)
	if err != nil {
		if !tellsTaken(err) {
			giveBack()
		}
		return none, nil, err
	}
	if !entry.issued.stored {
		err = entry.enter(ctx, c, created)
	}
	switch {
	case errors.Is(err, errVetoed):
		return created, nil, nil // the account is there all the same
	case err != nil:
		return none, nil, err
	}
	if entry.issued.known {
		created = entry.issued.user
	}
	return created, entry.pair, nil
}

// newEntry is the log-in that comes with a registration.
type newEntry[U roster.Model] struct {
	options roster.IssueOptions
	issued  issued[U]
	pair    *roster.TokenPair // nil: there was none
}

// enter logs a user in who has just been stored, if such users may.
func (e *newEntry[U]) enter(ctx context.Context, c *Core[U], created U) error {
	if c.Settings.Account.RequireConfirmed && !created.Base().Verified() {
		return nil
	}
	pair, err := c.Self.IssueTokens(withIssued(ctx, &e.issued), created.Base().ID, e.options)
	if err == nil {
		e.pair = &pair
	}
	return err
}

type enterKey struct{}

// entersAtOnce reports whether a registration makes the session together with the user: nothing of the
// program's can refuse the session, change the row before it, or wait for the account alone to be committed.
func (c *Core[U]) entersAtOnce() bool {
	if !c.Plain {
		return false
	}
	if c.Settings.Session.ChooseProfile != nil { // it can refuse the session
		return false
	}
	create, login, message := c.hooks.Create.Begin(), c.hooks.Login.Begin(), c.hooks.Message.Begin()
	return !create.HasBefore() && !create.HasAfter() && !create.HasOn() && !login.HasBefore() && !login.HasAfter() &&
		!message.HasBefore() && !message.HasAfter()
}

// tellsTaken reports whether an error told that somebody has an identifier. Such a registration counts: else an address
// could ask for as many as it likes.
func tellsTaken(err error) bool {
	e, ok := errors.AsType[*roster.Error](err)
	return ok && slices.ContainsFunc(e.Fields, func(f roster.FieldError) bool { return f.Code == roster.Taken })
}

// takeRegistration takes from the quota of the caller's address. It is given back also when a transaction that the
// registration joins is rolled back.
func (c *Core[U]) takeRegistration(ctx context.Context) (giveBack func(), err error) {
	l := c.Settings.Protection.Registration
	source := roster.ActorFrom(ctx).Source()
	if l.Off || source == "" {
		return func() {}, nil
	}
	key := "register:" + source
	verdict, err := c.takeQuota(ctx, l, key)
	if err == nil {
		err = verdict.Err()
	}
	if err != nil {
		return nil, err
	}
	given := false
	giveBack = func() {
		if !given {
			given = true
			c.unspend(ctx, l, key)
		}
	}
	c.Store.OnRollback(ctx, func(context.Context) { giveBack() })
	return giveBack, nil
}

// signup are the options of the Create that a registration comes to.
func (c *Core[U]) signup(user U, password roster.Secret, o roster.RegisterOptions) []roster.CreateOption {
	faults := append(roster.FieldErrors(nil), o.Faults...)
	c.refuseUntagged(user, &faults)
	options := []roster.CreateOption{roster.WithVia(roster.ViaSignup), roster.WithCaptcha(o.Captcha)}
	b := user.Base()
	invited := o.WithoutPassword && b.Email != nil // the link that sets a password proves the address as well
	switch {
	case !o.WithoutPassword:
		options = append(options, roster.WithPassword(password), roster.WithPasswordPolicy())
	case !c.Settings.Account.PasswordlessRegistration || b.Email == nil && b.Phone == nil:
		faults.Add("password", roster.Required)
	case invited:
		options = append(options, roster.WithInvitation())
	}
	reachable := b.Email != nil || b.Phone != nil && c.sender(notify.SMS) != nil
	if reachable && !invited && !c.Settings.Confirm.NoneOnRegister {
		options = append(options, roster.WithConfirmation())
	}
	return append(options, roster.WithFaults(faults))
}

// refuseUntagged adds a fault for each field that is set and that people may not give when they register.
func (c *Core[U]) refuseUntagged(user U, faults *roster.FieldErrors) {
	blank := c.Plan.New()
	for _, f := range c.Plan.changed(blank, user) {
		if !f.Create && !slices.ContainsFunc(*faults, func(fault roster.FieldError) bool { return fault.Field == f.Name }) {
			faults.Add(f.Name, roster.ForbiddenField)
		}
	}
}

// Login implements AccountOps.
func (m Account[U]) Login(ctx context.Context, credentials roster.Credentials) (roster.Login[U], error) {
	c := m.core
	ctx, err := c.enter(ctx, "Login")
	if err != nil {
		return roster.Login[U]{}, err
	}
	if credentials.Code != nil {
		defer c.quietly(ctx)()
	}
	ip, login := roster.ActorFrom(ctx).IP, loginOf(credentials)
	ctx, a := withAttempt[U](ctx, login) // what Authenticate finds out holds to the end of the log-in
	u, err := c.Self.Authenticate(ctx, credentials)
	if err != nil {
		return roster.Login[U]{}, err
	}
	id := u.Base().ID
	issued := issued[U]{epoch: new(u.Base().Epoch), attempt: a}
	via, amr := a.entry()
	pair, err := c.Self.IssueTokens(withIssued(ctx, &issued), id, roster.IssueOptions{
		Via: via, AMR: amr, Remember: credentials.Remember, Captcha: credentials.Captcha,
		DeviceToken: credentials.DeviceToken, Client: credentials.Client,
	})
	if err != nil {
		return roster.Login[U]{}, c.refused(ctx, ip, login, id, err)
	}
	if err := c.Self.RecordLoginSuccess(ctx, ip, login, id); err != nil {
		c.Logger.WarnContext(ctx, "failures of a login were not forgotten", slog.Any("error", err))
	}
	if issued.known {
		u = issued.user
	}
	return roster.Login[U]{
		User: u, Tokens: &pair, Unarchiving: issued.unarchiving, DeviceToken: pair.DeviceToken, NewDevice: pair.NewDevice,
	}, nil
}

// refused gives back the attempt of a right secret that led to no session, and tells why.
func (c *Core[U]) refused(ctx context.Context, ip, login string, id roster.ID, err error) error {
	reason := roster.FailedBackend
	if errors.Is(err, roster.ErrNotVerified) && c.Settings.Account.ConcealRegistration {
		return c.failed(ctx, ip, login, &id, roster.FailedNotVerified, roster.ErrInvalidCredentials) // counts as a wrong password does
	}
	c.giveBack(ctx, ip, login)
	switch {
	case errors.Is(err, errVetoed):
		reason = roster.FailedVetoed
	case errors.Is(err, roster.ErrBanned):
		reason = roster.FailedBanned
	case errors.Is(err, roster.ErrArchived):
		reason = roster.FailedArchived
	case errors.Is(err, roster.ErrNotVerified):
		reason = roster.FailedNotVerified
	case errors.Is(err, errDeleted), errors.Is(err, roster.ErrNotFound):
		reason, err = roster.FailedDeleted, roster.ErrInvalidCredentials
	}
	if record := c.Self.RecordLoginFailure(ctx, ip, login, &id, reason); record != nil {
		return record
	}
	return err
}

// loginOf is the login string that an attempt is counted by: the first identifier that was given.
func loginOf(credentials roster.Credentials) string {
	for _, s := range []*string{credentials.Login, credentials.Username, credentials.Email, credentials.Phone} {
		if s != nil {
			return *s
		}
	}
	return ""
}

// Logout implements AccountOps.
func (m Account[U]) Logout(ctx context.Context, token roster.Secret) error {
	c := m.core
	ctx, err := c.enter(ctx, "Logout")
	if err != nil {
		return err
	}
	session, err := c.sessionOf(ctx, token)
	if err == nil {
		err = c.logout(ctx, session)
	}
	if errors.Is(err, roster.ErrNotFound) {
		return nil // gone with its user, or ended meanwhile
	}
	return err
}

// UpdateAccount implements AccountOps.
func (m Account[U]) UpdateAccount(ctx context.Context, id roster.ID, patch json.RawMessage, options ...roster.UpdateOption) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "UpdateAccount")
	if err != nil {
		return none, err
	}
	actor := roster.ActorFrom(ctx)
	rights, err := c.judge(ctx, roster.PermissionUpdateUsers, id)
	if err != nil {
		return none, err
	}
	return c.Self.Update(ctx, id, func(user U) error {
		if err := c.guardSuperuser(ctx, rights, roster.PermissionUpdateUsers, user.Base()); err != nil {
			return err
		}
		if !actor.Trusted() && !c.Settings.Account.UnverifiedUpdate && !user.Base().Verified() {
			return roster.ErrNotVerified
		}
		return c.Self.Patch(ctx, user, patch, roster.WriterSelf)
	}, options...)
}

// kindAllowed reports whether log-ins may name an identifier of a kind.
func (c *Core[U]) kindAllowed(kind identifiers.Kind) bool {
	fields := c.Settings.Account.LoginFields
	return len(fields) == 0 || slices.Contains(fields, kind)
}
