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
	"github.com/roster-go/roster/identifiers"
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
	// took is given back. Of any number of callers Limit.Max pass in a window, which begins with the first.
	CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error)

	// RecordLoginFailure tells the hooks that an attempt has failed, whatever becomes of the transaction in ctx; it was
	// counted by IsBruteforce. id is nil when nobody has the login.
	RecordLoginFailure(ctx context.Context, ip, login string, id *roster.ID, reason roster.LoginFailure) error

	// RecordLoginSuccess forgets the failures of a login string, and of it together with an address; never those of
	// the address itself. id is whose login it was, for programs that override this.
	RecordLoginSuccess(ctx context.Context, ip, login string, id roster.ID) error
}

// lane is one thing that attempts are counted by.
type lane struct {
	name  string
	limit cache.Limit
}

const sourceLane = "source"

// lanes are those that attempts on a login string from an address are counted in.
func (c *Core[U]) lanes(ip, login string) []lane {
	p := c.Settings.Protection
	source, key := roster.Actor{IP: ip}.Source(), c.Identifiers.CounterKey(login)
	var list []lane
	if source != "" && !p.Source.Off && !c.trustsSource(ip) {
		list = append(list, lane{sourceLane, cache.Limit{
			Key: c.counterKey("source", source), Max: int64(p.Source.Max), Window: p.Source.Window, Lock: p.Source.Window,
		}})
	}
	if key == "" {
		return list
	}
	if !p.Identifier.Off {
		list = append(list, lane{"identifier", backoff(c.counterKey("identifier", key), p.Identifier)})
	}
	if source != "" && !p.Pair.Off {
		list = append(list, lane{"pair", backoff(c.counterKey("pair", source, key), p.Pair)})
	}
	return list
}

// The waits after failures: 1 s, doubled each time, 15 min at most.
const (
	firstWait = time.Second
	lastWait  = 15 * time.Minute
)

func backoff(key string, l LaneConfig) cache.Limit {
	return cache.Limit{Key: key, Max: int64(l.Max), Window: l.Window, Backoff: firstWait, MaxBackoff: lastWait}
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
	addr, err := netip.ParseAddr(ip)
	if withPort, portErr := netip.ParseAddrPort(ip); portErr == nil {
		addr, err = withPort.Addr(), nil
	}
	return err == nil && slices.ContainsFunc(c.Settings.Protection.TrustedSources, func(network string) bool {
		prefix, err := netip.ParsePrefix(network)
		return err == nil && prefix.Contains(addr.Unmap().WithZone(""))
	})
}

// IsBruteforce implements ProtectionOps.
func (m Protection[U]) IsBruteforce(ctx context.Context, ip, login string) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "IsBruteforce")
	if err != nil {
		return roster.Verdict{}, err
	}
	return c.take(ctx, c.lanes(ip, login))
}

// take takes one from each lane; several refusals are told as the longest. What a locked source asks for is never judged,
// and so counts against nobody: else one address could lock out everybody, as fast as it can ask.
func (c *Core[U]) take(ctx context.Context, lanes []lane) (roster.Verdict, error) {
	verdict := roster.Verdict{Allowed: true}
	if len(lanes) == 0 {
		return verdict, nil
	}
	counts, err := c.Cache.IncrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return roster.Verdict{}, cacheFailure(ctx, err)
	}
	var taken []cache.Limit
	for i, count := range counts {
		v := c.verdict(lanes[i].name, count)
		if v.Allowed {
			taken = append(taken, lanes[i].limit)
		}
		if !v.Allowed && (verdict.Allowed || v.RetryAfter > verdict.RetryAfter) || v.Allowed && verdict.Allowed {
			verdict = v
		}
	}
	if lanes[0].name == sourceLane && !counts[0].OK && len(taken) > 0 {
		c.release(ctx, taken...)
	}
	return verdict, nil
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

// cacheFailure turns an error of the cache into ours: who asked for leave and got no answer has none.
func cacheFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
}

// CheckTimeoutAndIncr implements ProtectionOps.
func (m Protection[U]) CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "CheckTimeoutAndIncr")
	if err != nil {
		return roster.Verdict{}, err
	}
	lanes, err := c.quota(limit, keys)
	if err != nil {
		return roster.Verdict{}, err
	}
	counts, err := c.Cache.IncrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return roster.Verdict{}, cacheFailure(ctx, err)
	}
	verdict := c.verdict("quota", counts[0])
	var taken []cache.Limit
	for i, count := range counts {
		if v := c.verdict("quota", count); count.OK {
			taken = append(taken, lanes[i].limit)
		} else if verdict.Allowed || v.RetryAfter > verdict.RetryAfter {
			verdict = v
		}
	}
	if !verdict.Allowed && len(taken) > 0 {
		if err := c.Cache.Release(ctx, taken...); err != nil {
			return roster.Verdict{}, cacheFailure(ctx, err)
		}
	}
	return verdict, nil
}

const maxQuotaKey = 256 // bytes

func (c *Core[U]) quota(limit roster.Limit, keys []string) ([]lane, error) {
	switch {
	case len(keys) == 0 || slices.Contains(keys, ""):
		return nil, roster.ErrInvalidInput.WithMessage("a quota needs a key")
	case slices.ContainsFunc(keys, func(key string) bool { return len(key) > maxQuotaKey }):
		return nil, roster.ErrInvalidInput.WithMessage("the key of a quota is longer than 256 bytes")
	case limit.Max < 1 || limit.Window < time.Second:
		return nil, roster.ErrInvalidInput.WithMessage("a quota needs a Max of 1 and a Window of 1 s at least")
	}
	list := make([]lane, len(keys))
	for i, key := range keys {
		list[i] = lane{"quota", cache.Limit{Key: c.counterKey("quota", key), Max: int64(limit.Max), Window: limit.Window}}
	}
	return list, nil
}

// spend takes from a quota of the caller's own, and gives it back if the transaction of ctx is rolled back.
func (c *Core[U]) spend(ctx context.Context, l LaneConfig, keys ...string) error {
	if l.Off {
		return nil
	}
	limit := roster.Limit{Max: l.Max, Window: l.Window}
	verdict, err := c.Self.CheckTimeoutAndIncr(ctx, limit, keys...)
	if err != nil {
		return err
	}
	if !verdict.Allowed {
		return roster.ErrQuotaExhausted.WithRetryAfter(verdict.RetryAfter)
	}
	c.Store.OnRollback(ctx, func(ctx context.Context) { c.unspend(ctx, limit, keys...) })
	return nil
}

// spendSource takes from a quota of the caller's address. It is not given back: to ask is what counts.
func (c *Core[U]) spendSource(ctx context.Context, l LaneConfig, kind string) error {
	source := roster.ActorFrom(ctx).Source()
	if l.Off || source == "" {
		return nil
	}
	verdict, err := c.Self.CheckTimeoutAndIncr(ctx, roster.Limit{Max: l.Max, Window: l.Window}, kind+":"+source)
	if err != nil {
		return err
	}
	return verdict.Err()
}

func (c *Core[U]) unspend(ctx context.Context, limit roster.Limit, keys ...string) {
	if lanes, err := c.quota(limit, keys); err == nil {
		c.release(ctx, limitsOf(lanes)...)
	}
}

// takeMail takes from the quota of mails of a kind, of the account and of the address.
func (c *Core[U]) takeMail(ctx context.Context, kind string, u U) error {
	return c.spend(ctx, c.Settings.Protection.Mails, c.mailKeys(kind, u)...)
}

func (c *Core[U]) mailKeys(kind string, u U) []string {
	return []string{kind + ":account:" + u.Base().ID.String(), c.mailTarget(kind, text(c.canonical(u).Email))}
}

// mailTarget is the key of an address, which itself may be longer than a key.
func (c *Core[U]) mailTarget(kind, canonical string) string {
	return kind + ":" + c.counterKey("address", canonical)
}

// peekQuota tells what taking from a quota would come to, and takes nothing.
func (c *Core[U]) peekQuota(ctx context.Context, l LaneConfig, keys ...string) (roster.Verdict, error) {
	if l.Off {
		return roster.Verdict{Allowed: true}, nil
	}
	lanes, err := c.quota(roster.Limit{Max: l.Max, Window: l.Window}, keys)
	if err != nil {
		return roster.Verdict{}, err
	}
	counts, err := c.Cache.Peek(ctx, limitsOf(lanes)...)
	if err != nil {
		return roster.Verdict{}, cacheFailure(ctx, err)
	}
	verdict := c.verdict("quota", counts[0])
	for _, count := range counts[1:] {
		if v := c.verdict("quota", count); v.RetryAfter > verdict.RetryAfter || v.Allowed && verdict.Allowed && v.Remaining < verdict.Remaining {
			verdict = v
		}
	}
	return verdict, nil
}

// takeTarget takes from what strangers may have sent to one address or number, messages of all kinds together, and reports
// whether one more may go; target is its canonical form. Beyond it a neutral caller queues nothing and says nothing. What
// was taken is given back if the transaction of ctx is rolled back.
func (c *Core[U]) takeTarget(ctx context.Context, target string) (bool, error) {
	var lanes []lane
	for _, l := range []struct {
		name string
		LaneConfig
	}{{"target-hour", c.Settings.Protection.Target}, {"target-day", c.Settings.Protection.TargetDaily}} {
		if !l.Off {
			lanes = append(lanes, lane{l.name, cache.Limit{Key: c.counterKey(l.name, target), Max: int64(l.Max), Window: l.Window}})
		}
	}
	if len(lanes) == 0 {
		return true, nil
	}
	counts, err := c.Cache.IncrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return false, cacheFailure(ctx, err)
	}
	var taken []cache.Limit
	for i, count := range counts {
		if count.OK {
			taken = append(taken, lanes[i].limit)
		}
	}
	if len(taken) < len(lanes) {
		if len(taken) > 0 {
			c.release(ctx, taken...)
		}
		return false, nil
	}
	c.Store.OnRollback(ctx, func(ctx context.Context) { c.release(ctx, taken...) })
	return true, nil
}

// promptLane counts wrong passwords that a signed-in user gives, by user and session.
func (c *Core[U]) promptLane(ctx context.Context, id roster.ID) cache.Limit {
	key := c.counterKey("prompt", id.String(), roster.ActorFrom(ctx).SID.String())
	return backoff(key, c.Settings.Protection.Identifier)
}

func (c *Core[U]) takePrompt(ctx context.Context, id roster.ID) error {
	verdict, err := c.take(ctx, []lane{{"prompt", c.promptLane(ctx, id)}})
	if err != nil {
		return err
	}
	return verdict.Err()
}

func (c *Core[U]) giveBackPrompt(ctx context.Context, id roster.ID) {
	c.release(ctx, c.promptLane(ctx, id))
}

func (c *Core[U]) clearPrompt(ctx context.Context, id roster.ID) error {
	if err := c.Cache.Delete(ctx, c.promptLane(ctx, id).Key); err != nil {
		return cacheFailure(ctx, err)
	}
	return nil
}

// RecordLoginFailure implements ProtectionOps.
func (m Protection[U]) RecordLoginFailure(ctx context.Context, ip, login string, id *roster.ID, reason roster.LoginFailure) error {
	c := m.core
	ctx, err := c.enter(ctx, "RecordLoginFailure")
	if err != nil {
		return err
	}
	run := c.hooks.LoginFailed.Begin()
	if !run.HasAfter() && !run.HasOn() {
		return nil // nobody to tell
	}
	e := &callbacks.LoginFailed{
		Event: c.event(ctx), UserID: id, Reason: reason, Via: roster.ViaPassword,
		Login: identifiers.Mask(identifiers.Infer(login), c.Identifiers.CounterKey(login)),
	}
	// The count stands already. What a hook writes is its own, and its failure changes no answer.
	err = c.Store.Aside(ctx, func(ctx context.Context) error { return after(ctx, c, run, e) })
	if err != nil {
		c.reportHook(ctx, "AfterLoginFailed", err)
	}
	return nil
}

// RecordLoginSuccess implements ProtectionOps.
func (m Protection[U]) RecordLoginSuccess(ctx context.Context, ip, login string, _ roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RecordLoginSuccess")
	if err != nil {
		return err
	}
	var keys []string
	for _, l := range c.lanes(ip, login) {
		if l.name != "source" {
			keys = append(keys, l.limit.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if err := c.Cache.Delete(ctx, keys...); err != nil {
		return cacheFailure(ctx, err)
	}
	return nil
}

// giveBack gives back an attempt whose secret was never judged, or was right and then refused; it clears nothing.
func (c *Core[U]) giveBack(ctx context.Context, ip, login string) {
	var limits []cache.Limit
	for _, l := range c.lanes(ip, login) {
		if l.name != "source" {
			limits = append(limits, l.limit)
		}
	}
	if len(limits) > 0 {
		c.release(ctx, limits...)
	}
}

// release gives back what was taken and led to nothing, also when its caller went away.
func (c *Core[U]) release(ctx context.Context, limits ...cache.Limit) {
	if err := c.Cache.Release(context.WithoutCancel(ctx), limits...); err != nil {
		c.Logger.WarnContext(ctx, "what was counted was not given back", slog.Any("error", err))
	}
}
