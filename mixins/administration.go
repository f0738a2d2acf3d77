package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// Administration is the component that keeps a repo running.
type Administration[U roster.Model] struct{ core *Core[U] }

// NewAdministration returns the component on a core.
func NewAdministration[U roster.Model](c *Core[U]) Administration[U] { return Administration[U]{c} }

// AdministrationOps are the operations of Administration.
type AdministrationOps interface {
	// Deliver sends up to most messages that are due, each once, and tells what became of them; 0 means Notify.Batch.
	// Run does so all the time: Deliver is for cron, serverless programs and tests.
	Deliver(ctx context.Context, most int) (notify.Delivered, error)

	// ListMessages lists messages of the outbox, without what they say. It takes the permission messages:read.
	ListMessages(ctx context.Context, query roster.MessageQuery) (roster.Page[roster.MessageInfo], error)

	// RetryMessage puts a dead message back, with all its attempts ahead. One that is not dead, or whose link or code
	// has ended, is roster.ErrConflict: of several callers at once one succeeds. It takes the permission messages:retry.
	RetryMessage(ctx context.Context, id roster.ID) error

	// Clean deletes what is over since long: sessions as long after their end, messages after they were queued and entries
	// of the audit trail after they were written as the settings say, links a week after their end, and likewise keys, changes of contacts, held usernames, devices, counters, tries, one-time
	// passwords and revocations. Dead messages that have expired are emptied. It returns how many rows it has deleted or emptied; Run calls it every hour.
	Clean(ctx context.Context) (int64, error)

	// Reindex writes anew what text search looks into, for users stored before a field was tagged "search", or changed
	// by other programs. It returns how many users it changed.
	Reindex(ctx context.Context) (int64, error)

	// Stats returns the counters of this process, since the repo was initialised.
	Stats() roster.Stats

	// GetBacklog tells what waits in the outbox, of all processes together: how much, and since when.
	GetBacklog(ctx context.Context) (roster.Backlog, error)
}

// Deliver implements AdministrationOps.
func (m Administration[U]) Deliver(ctx context.Context, most int) (notify.Delivered, error) {
	c := m.core
	ctx, err := c.enter(ctx, "Deliver")
	if err != nil {
		return notify.Delivered{}, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return notify.Delivered{}, err
	}
	return c.worker.Deliver(ctx, most)
}

// keepLinks is how long links are kept after they have ended, for what is asked about them.
const keepLinks = 7 * day

// Clean implements AdministrationOps.
func (m Administration[U]) Clean(ctx context.Context) (int64, error) {
	c := m.core
	ctx, err := c.enter(ctx, "Clean")
	if err != nil {
		return 0, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return 0, err
	}
	return c.Store.Clean(ctx, c.now(), store.Keep{
		Sessions: c.Settings.Session.Keep, Links: keepLinks, Messages: c.Settings.Notify.Keep, DeadMessages: c.Settings.Notify.KeepDead,
		Audit: c.Settings.Audit.Keep, Keys: keepKeys, OTPs: c.Settings.OneTime.Retention, Changes: keepLinks + max(c.Settings.Confirm.RevertWindow, c.Settings.Confirm.ChangeTTL),
	})
}

// Reindex implements AdministrationOps.
func (m Administration[U]) Reindex(ctx context.Context) (int64, error) {
	c := m.core
	ctx, err := c.enter(ctx, "Reindex")
	if err != nil {
		return 0, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return 0, err
	}
	var changed int64
	var last roster.ID
	for {
		var batch []U
		err := c.Store.WalkUsers(ctx, last, func() []any {
			u := c.Plan.New()
			batch = append(batch, u)
			return c.Plan.dest(u)
		})
		if err != nil || len(batch) == 0 {
			return changed, err
		}
		for _, u := range batch {
			last = u.Base().ID
			n, err := c.Store.SetSearch(ctx, last, u.Base().Version, c.searchText(u, c.canonical(u)))
			if err != nil {
				return changed, err
			}
			changed += n
		}
	}
}

// Stats implements AdministrationOps.
func (m Administration[U]) Stats() roster.Stats {
	if m.core == nil {
		return roster.Stats{}
	}
	return roster.Stats{
		HookErrors: m.core.hookErrors.Load(), MailConfigErrors: m.core.worker.ConfigErrors(),
		CacheErrors: m.core.cacheErrors.Load(), Messages: m.core.worker.Stats(),
		Revocations: m.core.view.known.Size(), RevocationsAge: m.core.view.age(),
	}
}

// GetBacklog implements AdministrationOps.
func (m Administration[U]) GetBacklog(ctx context.Context) (roster.Backlog, error) {
	c := m.core
	ctx, err := c.enter(ctx, "GetBacklog")
	if err != nil {
		return roster.Backlog{}, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return roster.Backlog{}, err
	}
	return c.Store.GetBacklog(ctx)
}
