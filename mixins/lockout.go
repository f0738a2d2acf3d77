package mixins

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// lockoutKinds tell what a lane locks.
var lockoutKinds = map[string]roster.LockoutKind{
	sourceLane: roster.LockoutAddress, identifierLane: roster.LockoutIdentifier, pairLane: roster.LockoutPair, deviceLane: roster.LockoutDevice,
	deviceRateLane: roster.LockoutDevice,
}

// noteLockouts writes down the lanes of a failed attempt that have to wait now, and tells the hooks of those that begin
// to. The counters decide; this is what administrators see of them.
func (c *Core[U]) noteLockouts(ctx context.Context, ip, login string, id *roster.ID, lanes []lane) error {
	lanes = slices.DeleteFunc(slices.Clone(lanes), func(l lane) bool { return l.isRate() || lockoutKinds[l.name] == "" })
	if len(lanes) == 0 {
		return nil
	}
	counts, err := c.peek(ctx, limitsOf(lanes)...)
	if err != nil {
		return err
	}
	for i, count := range counts {
		if count.N < count.Limit.Max {
			continue
		}
		if err := c.noteLockout(ctx, lanes[i], count, c.subject(lanes[i].name, ip, login), id, count.N == count.Limit.Max); err != nil {
			return err
		}
	}
	return nil
}

func (c *Core[U]) noteLockout(ctx context.Context, l lane, count cache.Count, subject string, id *roster.ID, begins bool) error {
	now := c.now()
	x := store.Lockout{
		Key: l.limit.Key, Kind: lockoutKinds[l.name], Subject: subject, UserID: id, Failures: int(count.N),
		Since: now, Until: new(now.Add(count.Wait)),
	}
	written, err := c.Store.PutLockout(ctx, x, begins)
	if err != nil || !written || !begins {
		return err
	}
	c.tellLockout(ctx, x)
	if x.Kind != roster.LockoutIdentifier || !c.Settings.Notify.enabled(notify.LockedOut) {
		return nil
	}
	return c.mailLockedOut(ctx, id)
}

// mailLockedOut tells the owner of an account that log-ins with its name have to wait. For a name that nobody has the
// same is written: the one who tries is not to learn it.
func (c *Core[U]) mailLockedOut(ctx context.Context, id *roster.ID) error {
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		owner := roster.NewID()
		if id != nil {
			owner = *id
		}
		u, err := c.lock(ctx, owner)
		switch {
		case errors.Is(err, roster.ErrNotFound):
			return c.queueNothing(ctx)
		case err != nil:
			return err
		case u.Base().Deleted() || c.shutOut(u.Base()):
			return c.queueNothing(ctx)
		}
		if _, _, reachable := c.provenContact(u); !reachable {
			return c.queueNothing(ctx)
		}
		c.tell(ctx, "Message", func(ctx context.Context) error { return c.notice(ctx, u, notify.LockedOut, nil) })
		return nil
	})
}

// tellLockout runs the hooks of a lockout apart from the transaction in ctx. What they do changes nothing of it.
func (c *Core[U]) tellLockout(ctx context.Context, x store.Lockout) {
	run := c.hooks.Lockout.Begin()
	if !run.HasAfter() && !run.HasOn() {
		return
	}
	e := &callbacks.Lockout{
		Event: c.event(ctx), Kind: x.Kind, UserID: x.UserID, Subject: x.Subject, Failures: x.Failures, Until: x.Until,
	}
	if err := c.Store.Aside(ctx, func(ctx context.Context) error { return after(ctx, c, run, e) }); err != nil {
		c.reportHook(ctx, "AfterLockout", err)
	}
}

// subject is what of an attempt a lane counts by, masked.
func (c *Core[U]) subject(lane, ip, login string) string {
	name := c.maskLogin(login)
	switch lane {
	case sourceLane:
		return maskSource(roster.Actor{IP: ip}.Source())
	case pairLane:
		return name + " " + maskSource(roster.Actor{IP: ip}.Source())
	}
	return name
}

func (c *Core[U]) maskLogin(login string) string {
	return identifiers.Mask(identifiers.Infer(login), c.Identifiers.CounterKey(login))
}

// The parts of an address that are shown: it tells a network, and no household.
const (
	shownIPv4 = 24
	shownIPv6 = 48
)

func maskSource(source string) string {
	bits := shownIPv6
	prefix, err := netip.ParsePrefix(source)
	addr := prefix.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(source); err != nil {
			return source // "invalid"
		}
		bits = shownIPv4
	}
	if prefix, err = addr.Prefix(bits); err != nil {
		return ""
	}
	return prefix.String()
}

// ListLockouts implements ProtectionOps.
func (m Protection[U]) ListLockouts(ctx context.Context, query roster.LockoutQuery) (roster.Page[roster.Lockout], error) {
	var page roster.Page[roster.Lockout]
	c := m.core
	ctx, err := c.enter(ctx, "ListLockouts")
	if err != nil {
		return page, err
	}
	if _, err := c.judgeAdmin(ctx, roster.PermissionReadLockouts, roster.ID{}); err != nil {
		return page, err
	}
	q, err := c.lockoutQuery(query)
	if err != nil {
		return page, err
	}
	cursor := query.Cursor
	query.Cursor, query.Limit = "", 0
	if q.After, err = c.openMark("lockouts", cursor, query); err != nil {
		return page, err
	}
	want := q.Limit
	q.Limit++
	for {
		found, err := c.Store.ListLockouts(ctx, q)
		if err != nil {
			return page, err
		}
		live, err := c.liveLockouts(ctx, found)
		if err != nil {
			return page, err
		}
		for _, x := range live {
			if len(page.Items) == want {
				last := page.Items[want-1]
				page.Next = c.sealMark("lockouts", store.Mark{At: last.Since, Key: last.Key}, query)
				return page, nil
			}
			page.Items = append(page.Items, roster.Lockout(x))
		}
		if len(found) < q.Limit {
			return page, nil
		}
		last := found[len(found)-1]
		q.After = &store.Mark{At: last.Since, Key: last.Key}
	}
}

func (c *Core[U]) lockoutQuery(query roster.LockoutQuery) (store.LockoutQuery, error) {
	var faults roster.FieldErrors
	q := store.LockoutQuery{Now: c.now(), Kind: query.Kind, Text: query.Text, Limit: pageLimit(query.Limit, &faults)}
	switch query.Kind {
	case "", roster.LockoutAddress, roster.LockoutIdentifier, roster.LockoutPair, roster.LockoutDevice, roster.LockoutAccount:
	default:
		faults.Add("kind", roster.Invalid)
	}
	switch {
	case len(query.Text) > maxClient:
		faults.Add("q", roster.TooLong)
	case !storable(query.Text):
		faults.Add("q", roster.Invalid)
	}
	return q, faults.Err()
}

// liveLockouts are those whose counter still makes them wait: a log-in, or the loss of the cache, may have ended it.
func (c *Core[U]) liveLockouts(ctx context.Context, list []store.Lockout) ([]store.Lockout, error) {
	var limits []cache.Limit
	for _, x := range list {
		if x.Kind != roster.LockoutAccount {
			limits = append(limits, c.limitOf(x))
		}
	}
	waits := map[string]bool{}
	if len(limits) > 0 {
		counts, err := c.peek(ctx, limits...)
		if err != nil {
			return nil, err
		}
		for _, count := range counts {
			waits[count.Limit.Key] = count.Wait > 0
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(x store.Lockout) bool {
		return x.Kind != roster.LockoutAccount && !waits[x.Key]
	}), nil
}

// limitOf is the limit that has locked something.
func (c *Core[U]) limitOf(x store.Lockout) cache.Limit {
	p := c.Settings.Protection
	switch x.Kind {
	case roster.LockoutAddress:
		return sourceLimit(x.Key, p.Source)
	case roster.LockoutPair:
		return p.backoff(x.Key, p.Pair)
	case roster.LockoutDevice:
		return p.backoff(x.Key, p.Device)
	case roster.LockoutIdentifier, roster.LockoutAccount:
	}
	return p.backoff(x.Key, p.Identifier)
}

// ClearLockout implements ProtectionOps.
func (m Protection[U]) ClearLockout(ctx context.Context, key string) error {
	c := m.core
	ctx, err := c.enter(ctx, "ClearLockout")
	if err != nil {
		return err
	}
	if _, err := c.judgeAdmin(ctx, roster.PermissionClearLockouts, roster.ID{}); err != nil {
		return err
	}
	if len(key) > maxQuotaKey || !storable(key) {
		return roster.ErrNotFound
	}
	x, err := c.Store.GetLockout(ctx, key, c.now())
	if err != nil {
		return err
	}
	cleared := deed{action: "lockout.clear", subject: x.UserID, changes: map[string]any{"kind": x.Kind, "subject": x.Subject}}
	if x.Kind == roster.LockoutAccount && x.UserID != nil {
		return c.Store.Transact(ctx, func(ctx context.Context) error {
			if err := c.openPassword(ctx, *x.UserID); err != nil {
				return err
			}
			return c.recordDeed(ctx, cleared)
		})
	}
	live, err := c.liveLockouts(ctx, []store.Lockout{x})
	if err != nil {
		return err
	}
	if len(live) == 0 {
		return roster.ErrNotFound
	}
	if err := c.forget(ctx, key); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if err := c.Store.DeleteLockout(ctx, key); err != nil {
			return err
		}
		return c.recordDeed(ctx, cleared)
	})
}

// countFailure counts a wrong password of an account and writes the entry of it, and closes the password after too many.
// Without an account the same work is done on nobody's.
func (c *Core[U]) countFailure(ctx context.Context, id *roster.ID, entry *store.AuditEntry) error {
	user := roster.NewID()
	if id != nil {
		user = *id
	}
	n, closed, err := c.Store.CountFailure(ctx, user, entry)
	if most := c.Settings.Protection.CloseAfter; err != nil || closed || n < most {
		return err
	}
	return c.closePassword(ctx, user, n)
}

// closePassword lets nobody in any more by a user's password, but from a known device, and tells the user how to set
// another.
func (c *Core[U]) closePassword(ctx context.Context, id roster.ID, failures int) error {
	var told *store.Lockout
	err := c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		now := c.now()
		closes, err := c.Store.ClosePassword(ctx, id, now)
		if err != nil || !closes {
			return err
		}
		subject := ""
		for i, value := range slots(u.Base()) {
			if *value != nil {
				subject = identifiers.Mask(slotKinds[i], **value)
				break
			}
		}
		x := store.Lockout{
			Key: c.closedKey(id), Kind: roster.LockoutAccount, Subject: subject, UserID: &id, Failures: failures, Since: now,
		}
		if _, err := c.Store.PutLockout(ctx, x, false); err != nil {
			return err
		}
		told = &x
		c.tell(ctx, "Message", func(ctx context.Context) error { return c.mailClosed(ctx, u) })
		return nil
	})
	if errors.Is(err, roster.ErrNotFound) {
		return nil // removed meanwhile
	}
	if err == nil && told != nil {
		c.Logger.WarnContext(ctx, "password closed after too many wrong ones", slog.Any("user_id", id))
		c.tellLockout(ctx, *told)
	}
	return err
}

func (c *Core[U]) closedKey(id roster.ID) string { return c.counterKey("account", id.String()) }

// openPassword forgets the wrong passwords of a user, and opens a closed one. It belongs to what proves the owner: a
// completed reset, or a right code that was sent to a proven contact.
func (c *Core[U]) openPassword(ctx context.Context, id roster.ID) error {
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if err := c.Store.OpenPassword(ctx, id); err != nil {
			return err
		}
		return c.Store.DeleteLockout(ctx, c.closedKey(id))
	})
}

// mailClosed tells the owner of a closed password how to set another: by a link, else by a code to their phone.
func (c *Core[U]) mailClosed(ctx context.Context, u U) error {
	b := u.Base()
	switch {
	case c.shutOut(b):
		return nil
	case b.Email != nil && c.sender(notify.Email) != nil:
		if err := c.Store.VoidLinks(ctx, b.ID, "", c.now(), store.ResetPassword); err != nil {
			return err
		}
		return c.queueLink(ctx, u, resetPasswordLink, linkTo{
			kind: notify.PasswordClosed, to: *b.Email, canonical: text(c.canonical(u).Email),
		})
	case b.PhoneVerifiedAt != nil && c.sender(notify.SMS) != nil:
		return c.sendCode(ctx, u, code{
			contact: phone, purpose: "reset", to: *b.Phone, canonical: text(c.canonical(u).Phone), message: notify.PasswordClosed,
		})
	}
	return nil
}
