package mixins

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// Session is the component of sessions and their tokens.
type Session[U roster.Model] struct{ core *Core[U] }

// NewSession returns the component on a core.
func NewSession[U roster.Model](c *Core[U]) Session[U] { return Session[U]{c} }

// SessionOps are the operations of Session.
type SessionOps[U roster.Model] interface {
	// IssueTokens makes a session for a user and returns its tokens. It is the last step of every way to log in, fires
	// the Login hooks, and refuses whoever may not log in. It asks for no secret: it is for trusted code.
	IssueTokens(ctx context.Context, id roster.ID, options roster.IssueOptions) (roster.TokenPair, error)

	// VerifyToken returns the claims of a live access token. Others are roster.ErrInvalidToken, late ones
	// roster.ErrTokenExpired, those of a session that was ended roster.ErrSessionRevoked.
	VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error)

	// Refresh spends a refresh token and returns a new pair. The previous token gets the same successor within the
	// grace; any older one is roster.ErrTokenReused and ends the session, since somebody else has a copy.
	Refresh(ctx context.Context, refresh roster.Secret) (roster.TokenPair, error)

	// Revoke ends the session of a refresh token, of whatever age, and returns when it was ended.
	Revoke(ctx context.Context, refresh roster.Secret) (time.Time, error)

	// ListSessions returns a user's live sessions, the newest use first. An unknown user is roster.ErrNotFound. To see
	// those of others, users need users:sessions.
	ListSessions(ctx context.Context, id roster.ID) ([]roster.Session, error)

	// RevokeSession ends one session of a user; another's, an unknown and an ended one are roster.ErrNotFound. To end
	// those of others, users need users:sessions, and for those of a superuser to be one.
	RevokeSession(ctx context.Context, id, session roster.ID) error

	// RevokeOtherSessions ends all sessions of a user but one, and returns how many; none is no error. An unknown user is
	// roster.ErrNotFound. What it takes to do so to others is as for RevokeSession.
	RevokeOtherSessions(ctx context.Context, id, session roster.ID) (int, error)

	// RevokeSessions ends all sessions of a user, and returns how many, as RevokeOtherSessions does.
	RevokeSessions(ctx context.Context, id roster.ID) (int, error)

	// TokenClaims returns further claims for a user's access tokens: none, for programs to override. A name that
	// Roster or a standard uses fails the log-in.
	TokenClaims(ctx context.Context, user U) (map[string]any, error)

	// CheckFresh returns nil when the user of ctx proved a secret, at log-in or by a step-up, within Session.FreshFor, 15 minutes by default, or
	// within that of the session's profiles, and roster.ErrReauthentication when its user has to log in again. The program itself needs no session.
	CheckFresh(ctx context.Context) error

	// Site returns where browsers reach the repo, as the configuration says it.
	Site() roster.Site

	// CheckCSRF returns nil when token is TokenPair.CSRFToken of the session that claims are of, as it is since the user's
	// last change of password; any other is roster.ErrCSRFFailed. It compares in constant time.
	CheckCSRF(ctx context.Context, claims roster.Claims, token roster.Secret) error

	// ListRevocations returns what ends access tokens before their time and came after the position of an earlier answer, "" for
	// all that is live: at once where there is something new, else when there is, or after wait, 30 s at most. What is no
	// position is roster.ErrInvalidCursor; while the database does not answer for Session.MaxStaleness it is
	// roster.ErrUnavailable. It is for services that verify tokens themselves, and refuses users.
	ListRevocations(ctx context.Context, after string, wait time.Duration) (roster.Revocations, error)

	// JWKS returns the public halves of the signing keys that are next, active and retired, as a JSON Web Key Set (RFC 7517).
	JWKS(ctx context.Context) ([]byte, error)

	// ListKeys returns the signing keys: the active one, the next, retired and revoked ones. It is for trusted code, as are
	// RotateKeys and RevokeKey.
	ListKeys(ctx context.Context) ([]roster.SigningKey, error)

	// RotateKeys lets the next signing key sign, and makes another one that comes next. The former verifies until its last
	// token has ended. It does nothing while the next key is younger than 10 min: verifiers may not know it yet, and of
	// nodes that call it together one does it. Run calls it as Config.Session.KeyLife says. With Config.Keys it is
	// roster.ErrConflict.
	RotateKeys(ctx context.Context) error

	// RevokeKey makes all access tokens of a signing key invalid, here at once. If it was the active one the next signs from
	// now on. Its material is forgotten; refresh tokens are not touched. An unknown kid is roster.ErrNotFound, a revoked one
	// stays as it is. With Config.Keys it is roster.ErrConflict.
	RevokeKey(ctx context.Context, kid string) error
}

// errVetoed marks the error by which a BeforeLogin hook refused.
var errVetoed = errors.New("vetoed")

// issued is where IssueTokens leaves the user as the log-in has left them, for the operation that called it.
type issued[U roster.Model] struct {
	user  U
	known bool
	// unarchiving says that the log-in brought back an account that its owner had archived.
	unarchiving bool
	// epoch is the user's before the secret was judged; nil: none was. When it is another one by the time that the row is
	// locked, the password was changed or the user kicked meanwhile: that wins (ACCT-28).
	epoch *int64
	// attempt is that of the log-in; nil: there was none.
	attempt *attempt[U]
	// stored says that the running transaction has stored the user, and that nothing of the program's has seen the row since.
	stored bool
}

// errOutrun is the answer to a log-in that something has overtaken which ends all sessions.
var errOutrun = roster.ErrInvalidCredentials.WithCause(errors.New("the account changed while its secret was judged"))

type issuedKey struct{}

func withIssued[U roster.Model](ctx context.Context, into *issued[U]) context.Context {
	return context.WithValue(ctx, issuedKey{}, into)
}

// IssueTokens implements SessionOps.
func (m Session[U]) IssueTokens(ctx context.Context, id roster.ID, options roster.IssueOptions) (roster.TokenPair, error) {
	var pair roster.TokenPair
	c := m.core
	into, _ := ctx.Value(issuedKey{}).(*issued[U])
	ctx, err := c.enter(ctx, "IssueTokens")
	if err != nil {
		return pair, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return pair, err
	}
	if options.Via == "" {
		options.Via = roster.ViaApp
	}
	if options.AMR == nil {
		options.AMR = []string{"app"}
	}
	if pair, done, err := c.enterDirectly(ctx, id, options, into); done || err != nil {
		return pair, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.entrant(ctx, id, into)
		if err != nil {
			return err
		}
		if err := c.mayLogIn(ctx, u.Base()); err != nil {
			return err
		}
		if into != nil && into.epoch != nil && *into.epoch != u.Base().Epoch {
			return errOutrun
		}
		run := c.hooks.Login.Begin()
		e := &callbacks.Login[U]{Event: c.event(ctx), User: u, Via: options.Via, AMR: options.AMR, Captcha: options.Captcha}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return veto{err}
		}
		unarchiving := u.Base().ArchivedAt != nil // by themselves: others were refused
		if unarchiving {
			if err := c.unarchive(ctx, u, callbacks.UnarchivedByLogin); err != nil {
				return err
			}
		}
		if !c.Plain { // else the session's statement does it
			if err := c.Self.UpdateLastLogin(ctx, id); err != nil {
				return err
			}
		}
		first, now := u.Base().LastLoginAt == nil, c.now()
		u.Base().LastLoginAt = &now
		device, token := c.device(options.DeviceToken)
		session, refresh, known, err := c.begin(ctx, u, options, device)
		if err != nil {
			return err
		}
		if pair, err = c.pair(ctx, u, session, refresh); err != nil {
			return err
		}
		if token != "" && !known {
			pair.DeviceToken, pair.NewDevice = token, !first
		}
		if pair.NewDevice && options.Via != roster.ViaApp {
			if err := c.notice(ctx, u, notify.NewDevice, nil); err != nil {
				return err
			}
		}
		e.Session = session.ID
		if into != nil {
			into.user, into.known, into.unarchiving = u, true, unarchiving
		}
		return after(ctx, c, run, e)
	})
	switch {
	case errors.Is(err, errDeleted):
		return roster.TokenPair{}, roster.ErrNotFound
	case err != nil:
		return roster.TokenPair{}, err
	}
	return pair, nil
}

// entrant returns the user who is to get a session, and locks the row. Nobody else sees that of one who has just been stored.
func (c *Core[U]) entrant(ctx context.Context, id roster.ID, into *issued[U]) (U, error) {
	if into != nil && into.stored {
		if u, ok := c.freshUser(ctx, id); ok {
			return u, nil
		}
	}
	return c.lock(ctx, id)
}

// veto is the error of a Before hook, which stays what it is for the caller.
type veto struct{ error }

func (v veto) Unwrap() []error { return []error{v.error, errVetoed} }

// begin stores a session of a user whose row is locked.
func (c *Core[U]) begin(ctx context.Context, u U, options roster.IssueOptions, device store.Device) (x store.Session, refresh roster.Secret, known bool, err error) {
	x, admission, refresh, err := c.newSession(ctx, u, options, device)
	if err != nil {
		return x, "", false, err
	}
	if err := c.roomFor(ctx, x.UserID); err != nil {
		return x, "", false, err
	}
	evicted, known, err := c.Store.InsertSession(ctx, &x, admission)
	if errors.Is(err, roster.ErrNotFound) {
		if closed := c.closedFor(ctx, u.Base().Superuser); closed != nil {
			err = closed
		}
	}
	if err != nil {
		return x, "", false, err
	}
	return x, refresh, known, c.revoked(ctx, x.UserID, evicted, roster.RevokedByEviction)
}

// newSession makes a session of a user, with what it comes with and its first refresh token. Nothing is stored yet.
func (c *Core[U]) newSession(ctx context.Context, u U, options roster.IssueOptions, device store.Device) (x store.Session, a store.Admission, refresh roster.Secret, err error) {
	s, now, actor, id := c.Settings.Session, c.now(), roster.ActorFrom(ctx), u.Base().ID
	remember := options.Remember == nil || *options.Remember
	x = store.Session{
		ID: roster.NewID(), UserID: id, CreatedAt: now, LastUsedAt: now, Remember: remember, AuthTime: now,
		AMR: strings.Join(options.AMR, " "), IP: present(clip(actor.IP)), UserAgent: present(clip(actor.UserAgent)), Generation: 1,
	}
	profiles, err := c.profilesOf(ctx, u, options)
	if err != nil {
		return x, a, "", err
	}
	s.limit(&x, profiles)
	if refresh, x.SecretHash, err = c.refresh.New(x.ID, x.Generation); err != nil {
		return x, a, "", err
	}
	how := map[string]any{"via": options.Via, "amr": options.AMR}
	if len(profiles) > 0 {
		how["profiles"] = profiles
	}
	entered := deed{action: "login.ok", subject: &id, session: &x.ID, changes: how}
	a = store.Admission{Most: s.MaxPerUser, Superuser: u.Base().Superuser, Device: device, Entry: c.entry(ctx, entered)}
	if c.Plain {
		a.Touch = &store.Touch{CloseAfter: c.forgets(ctx)}
	}
	return x, a, refresh, nil
}

// errTooManySessions is told after a right secret alone.
var errTooManySessions = roster.ErrConflict.WithMessage("the user has as many sessions as one may have: end one of them first")

// roomFor refuses one more session of a user, whose row is locked, where none is to give way.
func (c *Core[U]) roomFor(ctx context.Context, id roster.ID) error {
	s := c.Settings.Session
	if s.OnLimit != RefuseNew {
		return nil
	}
	live, err := c.Store.ListSessions(ctx, id, c.now())
	if err == nil && len(live) >= s.MaxPerUser {
		err = errTooManySessions
	}
	return err
}

// pair signs an access token for a session and puts both tokens together.
func (c *Core[U]) pair(ctx context.Context, u U, x store.Session, refresh roster.Secret) (roster.TokenPair, error) {
	if err := c.confirmKeys(ctx); err != nil {
		return roster.TokenPair{}, err
	}
	return c.sign(ctx, u, x, refresh)
}

// sign is pair by the keys as they are known.
func (c *Core[U]) sign(ctx context.Context, u U, x store.Session, refresh roster.Secret) (roster.TokenPair, error) {
	b, now := u.Base(), c.now()
	extra, err := c.Self.TokenClaims(ctx, u)
	if err != nil {
		return roster.TokenPair{}, err
	}
	claims := roster.Claims{
		Subject: b.ID, SessionID: x.ID, IssuedAt: now, NotBefore: now, AuthTime: x.AuthTime, AMR: strings.Fields(x.AMR),
		ExpiresAt: earliest(x.ExpiresAt, now.Add(shorter(c.Settings.Session.AccessTTL, x.AccessTTL))),
		Epoch:     b.Epoch, GlobalEpoch: x.GlobalEpoch, Permissions: b.Permissions, Superuser: b.Superuser, Extra: extra,
	}
	access, err := c.issuer.Sign(claims)
	if err != nil {
		return roster.TokenPair{}, err
	}
	return roster.TokenPair{
		AccessToken: access, ExpiresIn: claims.ExpiresAt.Sub(now),
		RefreshToken: refresh, RefreshExpiresIn: x.IdleAt.Sub(now).Round(time.Second), SessionID: x.ID,
		Remember: x.Remember, CSRFToken: c.csrfToken(x.ID, b.Epoch),
	}, nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

const maxClient = 256 // characters

// clip makes of what a client says about itself, its user agent or address, what can be stored.
func clip(text string) string { return clipTo(text, maxClient) }

// clipTo makes of a text what can be stored in so many characters.
func clipTo(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}

// stillIn refuses what a user does in a session that has ended since their request came in: with the user's row locked
// nothing that ends sessions can come between. It is for what leads to a way into the account.
func (c *Core[U]) stillIn(ctx context.Context) error {
	actor := roster.ActorFrom(ctx)
	if actor.Trusted() || actor.SID == (roster.ID{}) {
		return nil
	}
	x, err := c.Store.GetSession(ctx, actor.SID)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return roster.ErrSessionRevoked
	case err != nil:
		return err
	case x.EndedAt != nil:
		return roster.ErrSessionRevoked
	}
	return nil
}

// VerifyToken implements SessionOps.
func (m Session[U]) VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error) {
	c := m.core
	if c == nil {
		return roster.Claims{}, roster.ErrNotInitialized
	}
	// It does not enter: it calls no operation and no hook, which alone ask for a frame, and each request would pay for one.
	now, keys := c.now(), c.issuer.Keys()
	claims, err := c.issuer.Verify(access.Reveal(), now)
	again, unknown := c.learnKey(ctx, err)
	if unknown == nil {
		unknown = c.view.ready(ctx)
	}
	if unknown != nil {
		return roster.Claims{}, unknown // it is not said whether the token was good
	}
	if again {
		now = c.now() // looking for its key took time
	}
	if again || err == nil && c.issuer.Keys() != keys { // its key may have been learned, or revoked
		claims, err = c.issuer.Verify(access.Reveal(), now)
	}
	if err == nil {
		err = c.view.known.Judge(&claims, now)
	}
	if err != nil {
		return roster.Claims{}, err
	}
	return claims, nil
}

// TokenClaims implements SessionOps.
func (m Session[U]) TokenClaims(ctx context.Context, _ U) (map[string]any, error) {
	_, err := m.core.enter(ctx, "TokenClaims")
	return nil, err
}

// JWKS implements SessionOps.
func (m Session[U]) JWKS(ctx context.Context) ([]byte, error) {
	if _, err := m.core.enter(ctx, "JWKS"); err != nil {
		return nil, err
	}
	return m.core.issuer.Keys().JWKS(m.core.now()), nil
}
