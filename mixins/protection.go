package mixins

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/secrets"
)

// Protection is the component that slows guessing down.
type Protection[U roster.Model] struct{ core *Core[U] }

// NewProtection returns the component on a core.
func NewProtection[U roster.Model](c *Core[U]) Protection[U] { return Protection[U]{c} }

// ProtectionOps are the operations of Protection.
type ProtectionOps interface {
	// IsBruteforce takes one attempt from the lanes of an address, of a login string in whatever spelling, and of
	// both together, and tells whether a credential may be judged. It counts before the credential is looked at, right
	// ones too: RecordLoginSuccess forgets those of the login string.
	IsBruteforce(ctx context.Context, ip, login string) (roster.Verdict, error)

	// CheckTimeoutAndIncr takes one from the quota of each key, in one round trip. When one refuses, what the others
	// took is given back. Of any number of callers Limit.Max pass in a window, which begins with the first. The keys of
	// Roster's own quotas begin with roster.OwnQuota, which those of a program must not: nobody checks it.
	CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error)

	// RecordLoginFailure makes the failure of an attempt final, whatever becomes of the transaction in ctx; its lanes were
	// counted by IsBruteforce. A wrong secret counts for the account too: 100 in a row, by default
	// (Protection.CloseAfter), close its password. The hooks are told. id is nil when nobody has the login.
	RecordLoginFailure(ctx context.Context, ip, login string, id *roster.ID, reason roster.LoginFailure) error

	// RecordLoginSuccess forgets the failures of a login string, of it together with an address, and of the account unless
	// they have closed its password; never those of the address itself. With Redis other processes may count them for a
	// moment more.
	RecordLoginSuccess(ctx context.Context, ip, login string, id roster.ID) error

	// ListLockouts returns a page of what is locked now, the newest first, subjects masked. Users need lockouts:read.
	ListLockouts(ctx context.Context, query roster.LockoutQuery) (roster.Page[roster.Lockout], error)

	// ClearLockout ends one lockout: its count is 0 again, a closed password open. No other ends by it. A key that names
	// none is roster.ErrNotFound. Users need lockouts:clear.
	ClearLockout(ctx context.Context, key string) error
}

// lane is one thing that attempts are counted by.
type lane struct {
	name  string
	limit cache.Limit
}

// The names of lanes, which begin the keys of their counters too.
const (
	sourceLane     = "source"
	identifierLane = "identifier"
	pairLane       = "pair"
	deviceLane     = "device"
	deviceRateLane = "device_rate"
	codePairLane   = "code_pair"
	codeLane       = "code"
	promptLane     = "prompt" // of wrong passwords that a signed-in user gives
	quotaLane      = "quota"
)

// isRate reports whether a lane counts attempts as such: success does not clear it, and none is given back to it.
func (l lane) isRate() bool { return l.name == sourceLane || l.name == deviceRateLane }

// lanes are those that an attempt on a login string from an address is counted in: for one from a known device that of
// the device alone, so that nobody else can lock its owner out.
func (c *Core[U]) lanes(ctx context.Context, ip, login string) []lane {
	p := c.Settings.Protection
	if device := knownDevice[U](ctx, login); device != nil {
		list := []lane{{deviceLane, p.backoff(c.counterKey(deviceLane, string(device)), p.Device)}}
		if !p.DeviceRate.Off {
			list = append(list, lane{deviceRateLane, sourceLimit(c.counterKey(deviceRateLane, string(device)), p.DeviceRate)})
		}
		return list
	}
	source, key := roster.Actor{IP: ip}.Source(), c.Identifiers.CounterKey(login)
	var list []lane
	if source != "" && !p.Source.Off && !c.trustsSource(ip) {
		list = append(list, lane{sourceLane, sourceLimit(c.counterKey(sourceLane, source), p.Source)})
	}
	if code := triedCode[U](ctx, login); code != nil {
		return append(list, c.codeLanes(source, code)...)
	}
	if key == "" {
		return list
	}
	if !p.Identifier.Off {
		list = append(list, lane{identifierLane, p.backoff(c.counterKey(identifierLane, key), p.Identifier)})
	}
	if source != "" && !p.Pair.Off {
		list = append(list, lane{pairLane, p.backoff(c.counterKey(pairLane, source, key), p.Pair)})
	}
	return list
}

func sourceLimit(key string, l LaneConfig) cache.Limit {
	return cache.Limit{Key: key, Max: int64(l.Max), Window: l.Window, Lock: l.Window}
}

func (p ProtectionConfig) backoff(key string, l LaneConfig) cache.Limit {
	return cache.Limit{Key: key, Max: int64(l.Max), Window: l.Window, Backoff: p.FirstWait, MaxBackoff: p.MaxWait}
}

// counterKey names a counter without telling whose it is. Repos of other tables have counters of their own.
func (c *Core[U]) counterKey(kind string, parts ...string) string {
	data := [][]byte{[]byte(c.Store.UsersTable()), []byte(kind)}
	for _, part := range parts {
		data = append(data, []byte(part))
	}
	return kind + ":" + base64.RawURLEncoding.EncodeToString(c.Secrets.MAC(secrets.Counter, data...)[:16])
}

func (c *Core[U]) trustsSource(ip string) bool {
	addr, err := roster.Actor{IP: ip}.Addr()
	return err == nil && slices.ContainsFunc(c.Settings.Protection.TrustedSources, func(network string) bool {
		prefix, err := netip.ParsePrefix(network)
		return err == nil && prefix.Contains(addr)
	})
}

// IsBruteforce implements ProtectionOps.
func (m Protection[U]) IsBruteforce(ctx context.Context, ip, login string) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "IsBruteforce")
	if err != nil {
		return roster.Verdict{}, err
	}
	lanes := c.lanes(ctx, ip, login)
	verdict, counts, err := c.take(ctx, lanes)
	if err != nil {
		return verdict, err
	}
	for i, count := range counts {
		if count.Locked { // of any number of attempts this one is told
			err := c.noteLockout(ctx, lanes[i], count, c.subject(lanes[i].name, ip, login), nil, true)
			if err != nil {
				return roster.Verdict{}, err
			}
		}
	}
	return verdict, nil
}

// take takes one from each lane; several refusals are told as the longest. What a locked source asks for is never judged,
// and so counts against nobody: else one address could lock out everybody, as fast as it can ask.
func (c *Core[U]) take(ctx context.Context, lanes []lane) (roster.Verdict, []cache.Count, error) {
	verdict := roster.Verdict{Allowed: true}
	if len(lanes) == 0 {
		return verdict, nil, nil
	}
	counts, err := c.incrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return roster.Verdict{}, nil, err
	}
	var taken []cache.Limit
	captcha := false
	for i, count := range counts {
		v := c.verdict(lanes[i].name, count)
		failures := count.N
		if v.Allowed {
			taken = append(taken, lanes[i].limit)
			failures--
		}
		captcha = captcha || lanes[i].name == pairLane && c.asksCaptcha(failures)
		if !v.Allowed && (verdict.Allowed || v.RetryAfter > verdict.RetryAfter) || v.Allowed && verdict.Allowed {
			verdict = v
		}
	}
	if lanes[0].name == sourceLane && !counts[0].OK && len(taken) > 0 {
		c.release(ctx, taken...)
	}
	verdict.Captcha = captcha
	return verdict, counts, nil
}

// asksCaptcha reports whether so many failures of a login string from an address ask for a captcha.
func (c *Core[U]) asksCaptcha(failures int64) bool {
	most := c.Settings.Protection.CaptchaAfter
	return most > 0 && failures >= int64(most)
}

func limitsOf(lanes []lane) []cache.Limit {
	list := make([]cache.Limit, len(lanes))
	for i, l := range lanes {
		list[i] = l.limit
	}
	return list
}

func (c *Core[U]) verdict(lane string, count cache.Count) roster.Verdict {
	v := roster.Verdict{
		Allowed: count.OK, Lane: lane, Limit: int(count.Limit.Max), Remaining: int(max(count.Limit.Max-count.N, 0)),
		ResetAt: c.now().Add(count.TTL),
	}
	if !count.OK {
		v.RetryAfter = max(count.Wait, time.Millisecond)
		v.ResetAt = c.now().Add(v.RetryAfter)
	}
	return v
}

// promptLane counts wrong passwords that a signed-in user gives, by user and session.
func (c *Core[U]) promptLane(ctx context.Context, id roster.ID) cache.Limit {
	p := c.Settings.Protection
	return p.backoff(c.counterKey(promptLane, id.String(), roster.ActorFrom(ctx).SID.String()), p.Identifier)
}

func (c *Core[U]) takePrompt(ctx context.Context, id roster.ID) error {
	verdict, _, err := c.take(ctx, []lane{{promptLane, c.promptLane(ctx, id)}})
	if err != nil {
		return err
	}
	return verdict.Err()
}

func (c *Core[U]) giveBackPrompt(ctx context.Context, id roster.ID) {
	c.release(ctx, c.promptLane(ctx, id))
}

func (c *Core[U]) clearPrompt(ctx context.Context, id roster.ID) error {
	return c.forget(ctx, c.promptLane(ctx, id).Key)
}

// RecordLoginFailure implements ProtectionOps.
func (m Protection[U]) RecordLoginFailure(ctx context.Context, ip, login string, id *roster.ID, reason roster.LoginFailure) error {
	c := m.core
	ctx, err := c.enter(ctx, "RecordLoginFailure")
	if err != nil {
		return err
	}
	run := c.hooks.LoginFailed.Begin()
	e := &callbacks.LoginFailed{
		Event: c.event(ctx), UserID: id, Reason: reason, Via: roster.ViaPassword, Login: c.maskLogin(login),
	}
	code := triedCode[U](ctx, login) != nil
	if code {
		e.Via = roster.ViaCode
	}
	entry := c.failureEntry(ctx, e, login)
	if c.wasWrong(ctx, reason) {
		counts := c.Settings.Protection.CloseAfter > 0 && knownDevice[U](ctx, login) == nil && !code
		counted := entry
		if counts {
			entry = nil // one statement writes both
		}
		err := c.settleFailure(ctx, func(ctx context.Context) error {
			if counts {
				if err := c.countFailure(ctx, id, counted); err != nil {
					return err
				}
			}
			return c.noteLockouts(ctx, ip, login, id, c.lanes(ctx, ip, login))
		})
		if err != nil {
			return err
		}
	}
	hooked := run.HasAfter() || run.HasOn()
	if entry == nil && !hooked {
		return nil
	}
	// The count stands already. What a hook writes is its own, and its failure changes no answer.
	err = c.Store.Aside(ctx, func(ctx context.Context) error {
		if entry != nil {
			if err := c.Store.InsertAudit(ctx, entry); err != nil {
				return err
			}
		}
		if !hooked {
			return nil
		}
		c.tell(ctx, "AfterLoginFailed", func(ctx context.Context) error { return fire(ctx, c, run, e) })
		return nil
	})
	if err != nil {
		c.Logger.ErrorContext(ctx, "refused log-in was not recorded", slog.Any("error", err))
	}
	return nil
}

// wasWrong reports whether a failure counts as that of a wrong secret.
func (c *Core[U]) wasWrong(ctx context.Context, reason roster.LoginFailure) bool {
	switch reason {
	case roster.FailedThrottled:
		return false // nothing was judged
	case roster.FailedNotVerified:
		if c.Settings.Account.ConcealRegistration {
			return true // it must look like a wrong password in all that follows
		}
		return !calledBy(ctx, "Login") && !calledBy(ctx, "Authenticate")
	case roster.FailedBanned, roster.FailedArchived, roster.FailedVetoed, roster.FailedBackend:
		return !calledBy(ctx, "Login") && !calledBy(ctx, "Authenticate") // after a right secret, and given back
	case roster.FailedUnknown, roster.FailedPassword, roster.FailedCode, roster.FailedNoPassword, roster.FailedClosed, roster.FailedDeleted:
	}
	return true
}

// settleFailure lets the count of a wrong secret stand, whatever becomes of the transaction in ctx.
func (c *Core[U]) settleFailure(ctx context.Context, settle func(ctx context.Context) error) error {
	if c.Store.InTransaction(ctx) {
		return c.Store.Aside(ctx, settle)
	}
	return settle(context.WithoutCancel(ctx))
}

// RecordLoginSuccess implements ProtectionOps.
func (m Protection[U]) RecordLoginSuccess(ctx context.Context, ip, login string, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RecordLoginSuccess")
	if err != nil {
		return err
	}
	most := c.Settings.Protection.CloseAfter
	if most > 0 && !calledBy(ctx, "Login") && knownDevice[U](ctx, login) == nil { // Login has forgotten them with its session
		if err := c.Store.ForgetFailures(ctx, id, most); err != nil {
			return err
		}
	}
	return c.clearLanes(ctx, ip, login)
}

// clearLanes forgets the failures before an attempt that succeeded.
func (c *Core[U]) clearLanes(ctx context.Context, ip, login string) error {
	var keys []string
	for _, l := range c.lanes(ctx, ip, login) {
		if !l.isRate() {
			keys = append(keys, l.limit.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return c.forgetSoon(ctx, keys...)
}

// giveBack gives back an attempt whose secret was never judged, or was right and then refused; it clears nothing.
func (c *Core[U]) giveBack(ctx context.Context, ip, login string) {
	var limits []cache.Limit
	for _, l := range c.lanes(ctx, ip, login) {
		if !l.isRate() {
			limits = append(limits, l.limit)
		}
	}
	if len(limits) > 0 {
		c.release(ctx, limits...)
	}
}
