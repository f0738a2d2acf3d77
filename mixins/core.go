// Package mixins is what Roster does with users: one component for each part of it, which a repo embeds.
//
// The components share a Core. They reach each other's operations, and every hook, through Core.Self: the program's
// own value, so that what the program overrides is what runs. A component never calls its own running operation.
package mixins

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

// Self is all operations and hooks of a repo, as the program's own value has them.
type Self[U roster.Model] interface {
	CRUDOps[U]
	ProtectionOps
	ConfirmOps[U]
	OneTimeOps[U]
	UsernameOps[U]
	PasswordOps[U]
	ManagementOps[U]
	AccountOps[U]
	SessionOps[U]
	AdministrationOps
	TransferOps
	callbacks.Lifecycle[U]
}

// Core is what the components of a repo share.
type Core[U roster.Model] struct {
	Self Self[U]
	Parts[U]

	node        string // tells this process from others
	hooks       hooks[U]
	issuer      *tokens.Issuer
	ring        keyring
	refresh     *tokens.RefreshCodec
	view        *view
	worker      *notify.Worker
	hookErrors  atomic.Int64
	cacheErrors atomic.Int64
	cacheLogged atomic.Int64 // when, in ns
	// countedStored is when the database last counted in place of the cache, in ns.
	countedStored atomic.Int64
	running       atomic.Bool
	enrolling     sync.Map // addresses of those who are being enrolled directly
}

// Parts are the pieces that a Core puts to work.
type Parts[U roster.Model] struct {
	Settings Settings
	// Plain says that the repo is used as it is: no type of the program's embeds it, so none has hooks or overrides.
	Plain   bool
	Plan    *Plan[U]
	Store   *store.Store
	Cache   cache.Cache
	Secrets *secrets.Ring
	// Keys are the program's own signing keys; nil: the database has them.
	Keys        *tokens.Set
	Passwords   *passwords.Passwords
	Identifiers *identifiers.Parser
	Templates   *notify.Templates
	Now         func() time.Time
	Logger      *slog.Logger
}

// NewCore binds the components of a repo with the program's own value and the functions added to its points. It
// loads the signing keys, and makes those that are missing.
func NewCore[U roster.Model](ctx context.Context, self Self[U], on *callbacks.Set[U], parts Parts[U]) (*Core[U], error) {
	c := &Core[U]{Self: self, Parts: parts, node: strings.ReplaceAll(roster.NewID().String(), "-", "")}
	c.hooks = c.bind(on)
	if err := c.newWorker(); err != nil {
		return nil, err
	}
	if err := c.loadKeys(ctx); err != nil {
		return nil, err
	}
	c.view = newView(c.node, c.Settings.Session, c.Store, c.Now)
	c.view.keysChanged = func(ctx context.Context) error {
		ctx, cancel := c.Store.Outside(ctx)
		defer cancel()
		return c.reloadKeys(ctx)
	}
	return c, c.view.catchUp(ctx) // before any token is accepted
}

// now is the time of an operation: UTC and whole microseconds, which is what the databases keep.
func (c *Core[U]) now() time.Time { return c.Now().UTC().Truncate(time.Microsecond) }

// frame is the context of a running operation; those that called it are outside of it.
type frame struct {
	context.Context
	name  string
	outer *frame
	depth int
}

type frameKey struct{}

// Value implements context.Context.
func (f *frame) Value(key any) any {
	if _, ok := key.(frameKey); ok {
		return f
	}
	return f.Context.Value(key)
}

// maxDepth bounds how deep operations and hooks may call each other.
const maxDepth = 8

// enter begins an operation. It is the first thing that each does: without a Core the repo was not initialised.
func (c *Core[U]) enter(ctx context.Context, name string) (context.Context, error) {
	if c == nil {
		return ctx, roster.ErrNotInitialized
	}
	outer, _ := ctx.Value(frameKey{}).(*frame)
	f := &frame{Context: ctx, name: name, outer: outer, depth: 1}
	if outer != nil {
		f.depth = outer.depth + 1
	}
	if f.depth > maxDepth {
		return ctx, roster.ErrInternal.WithCause(fmt.Errorf("operations call each other too deep: %s", f.chain()))
	}
	return f, nil
}

func (f *frame) chain() string {
	var names []string
	for ; f != nil; f = f.outer {
		names = append([]string{f.name}, names...)
	}
	return strings.Join(names, " → ")
}

// nested reports whether the operation of ctx was called by another, or by a hook of one: it is not judged again.
func nested(ctx context.Context) bool {
	f, _ := ctx.Value(frameKey{}).(*frame)
	return f != nil && f.depth > 1
}
