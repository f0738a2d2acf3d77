package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// deviceTokens are those by which a device is known that somebody has logged in from.
var deviceTokens = linkKind{prefix: "dt_"}

// attempt is what Authenticate finds out about a log-in before it is counted, for the operations that count it, and for
// the one that called.
type attempt[U roster.Model] struct {
	login  string
	device []byte // the hash of a live device of the account that the login names; nil without one
	// nominee is that account, if somebody had to look.
	nominee U
	known   bool
	looked  bool
	// read says that their password was looked up with them, as entrant has it.
	read    bool
	entrant store.Entrant
	// code says where the code went that is tried; nil: a password is.
	code *codeTarget
	// via and amr are how the secret was judged that was right; "" and nil: it was not.
	via roster.Via
	amr []string
}

type attemptKey struct{}

// attemptOf returns the attempt that ctx is part of, or nil.
func attemptOf[U roster.Model](ctx context.Context) *attempt[U] {
	a, _ := ctx.Value(attemptKey{}).(*attempt[U])
	return a
}

// withAttempt returns a context that carries an attempt: that of the operation which called, or a new one.
func withAttempt[U roster.Model](ctx context.Context, login string) (context.Context, *attempt[U]) {
	if a := attemptOf[U](ctx); a != nil && a.login == login {
		return ctx, a
	}
	a := &attempt[U]{login: login}
	return context.WithValue(ctx, attemptKey{}, a), a
}

// entry is how the person has got in, to whoever makes the session.
func (a *attempt[U]) entry() (roster.Via, []string) {
	if a.via == "" { // the program judges credentials by itself
		return roster.ViaPassword, []string{"pwd"}
	}
	return a.via, a.amr
}

// triedCode returns where the code went that an attempt on a login tries; nil: it tries none.
func triedCode[U roster.Model](ctx context.Context, login string) *codeTarget {
	if a := attemptOf[U](ctx); a != nil && a.login == login {
		return a.code
	}
	return nil
}

// knownDevice returns the hash of the device that an attempt on a login comes from, if it is known.
func knownDevice[U roster.Model](ctx context.Context, login string) []byte {
	if a := attemptOf[U](ctx); a != nil && a.login == login {
		return a.device
	}
	return nil
}

// recognise finds the device of an attempt by its token. One that is unknown, late or of another account is none.
func (c *Core[U]) recognise(ctx context.Context, a *attempt[U], credentials roster.Credentials) error {
	if c.Settings.Protection.Device.Off || credentials.DeviceToken == nil {
		return nil
	}
	hash := deviceTokens.hash(*credentials.DeviceToken)
	if hash == nil {
		return nil
	}
	owner, err := c.Store.DeviceOwner(ctx, hash, c.now())
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	if err := c.nominate(ctx, a, credentials); err != nil {
		return err
	}
	if a.known && a.nominee.Base().ID == owner {
		a.device = hash
	}
	return nil
}

// device is what a new session leaves of the device that it is used from. The token is that of a device which is not
// known yet.
func (c *Core[U]) device(given *roster.Secret) (d store.Device, token roster.Secret) {
	p := c.Settings.Protection
	if p.Device.Off {
		return d, ""
	}
	if given != nil {
		d.Given = deviceTokens.hash(*given)
	}
	token = newToken(deviceTokens.prefix)
	d.Fresh, d.ExpiresAt, d.Most = deviceTokens.hash(token), c.now().Add(p.DeviceTTL), p.DevicesPerUser
	return d, token
}

// dropDevices forgets the devices of a user but that of one session; the zero one keeps none. It belongs into the
// transaction of what ends the user's sessions.
func (c *Core[U]) dropDevices(ctx context.Context, id, keep roster.ID) error {
	return c.Store.DropDevices(ctx, id, keep)
}
