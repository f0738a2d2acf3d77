package mixins

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// ListAudit implements ManagementOps.
func (m Management[U]) ListAudit(ctx context.Context, query roster.AuditQuery) (roster.Page[roster.AuditEntry], error) {
	page := roster.Page[roster.AuditEntry]{Items: []roster.AuditEntry{}}
	c := m.core
	ctx, err := c.enter(ctx, "ListAudit")
	if err != nil {
		return page, err
	}
	q, err := c.auditQuery(ctx, query)
	if err != nil {
		return page, err
	}
	var faults roster.FieldErrors
	limit := pageLimit(query.Limit, &faults)
	if err := faults.Err(); err != nil {
		return page, err
	}
	cursor := query.Cursor
	query.Cursor, query.Limit = "", 0
	if q.After, err = c.openMark("audit", cursor, query); err != nil {
		return page, err
	}
	q.Limit = limit + 1
	rows, err := c.Store.ListAudit(ctx, q)
	if err != nil {
		return page, err
	}
	for _, e := range rows[:min(limit, len(rows))] {
		page.Items = append(page.Items, auditEntry(e))
	}
	if len(rows) > limit {
		page.Next = c.sealMark("audit", *markOf(rows[limit-1]), query)
	}
	return page, c.recordAuditRead(ctx)
}

// ExportAudit implements ManagementOps.
func (m Management[U]) ExportAudit(ctx context.Context, query roster.AuditQuery) iter.Seq2[roster.AuditEntry, error] {
	return func(yield func(roster.AuditEntry, error) bool) {
		if err := m.exportAudit(ctx, query, func(e roster.AuditEntry) bool { return yield(e, nil) }); err != nil {
			yield(roster.AuditEntry{}, err)
		}
	}
}

func (m Management[U]) exportAudit(ctx context.Context, query roster.AuditQuery, yield func(roster.AuditEntry) bool) error {
	c := m.core
	ctx, err := c.enter(ctx, "ExportAudit")
	if err != nil {
		return err
	}
	q, err := c.auditQuery(ctx, query)
	if err != nil {
		return err
	}
	if err := c.recordAuditRead(ctx); err != nil {
		return err
	}
	q.Limit = maxLimit
	for {
		rows, err := c.Store.ListAudit(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range rows {
			if !yield(auditEntry(e)) {
				return nil
			}
		}
		if len(rows) < q.Limit {
			return nil
		}
		q.After = markOf(rows[len(rows)-1])
	}
}

// auditQuery judges who asks for the audit trail, and what for.
func (c *Core[U]) auditQuery(ctx context.Context, query roster.AuditQuery) (store.AuditQuery, error) {
	if _, err := c.judge(ctx, roster.PermissionReadAudit, roster.ID{}); err != nil {
		return store.AuditQuery{}, err
	}
	for _, text := range []string{query.Action, string(query.Result), query.IP, query.Request} {
		if !storable(text) {
			return store.AuditQuery{}, roster.ErrValidationFailed.WithFields(roster.FieldError{Code: roster.Invalid})
		}
	}
	return store.AuditQuery{
		Actor: query.Actor, Subject: query.Subject, Session: query.Session, Action: query.Action, Result: string(query.Result),
		IP: query.IP, RequestID: query.Request, Since: query.Since, Before: query.Before,
	}, nil
}

// recordAuditRead writes to the audit trail that somebody reads it.
func (c *Core[U]) recordAuditRead(ctx context.Context) error {
	if roster.ActorFrom(ctx).Trusted() {
		return nil
	}
	return c.recordRead(ctx, nil, nil, nil)
}

func markOf(e store.AuditEntry) *store.Mark { return &store.Mark{At: e.HappenedAt, ID: e.ID} }

func auditEntry(e store.AuditEntry) roster.AuditEntry {
	x := roster.AuditEntry{
		ID: e.ID, At: e.HappenedAt, Actor: roster.AuditActor{Kind: e.ActorKind, ID: e.ActorID, OnBehalf: e.OnBehalf},
		Action: e.Action, Subject: e.SubjectID, Result: e.Result, Code: roster.Code(e.Code), Reason: text(e.Reason), IP: text(e.IP),
		Agent: text(e.UserAgent), Session: e.SessionID, Request: text(e.RequestID),
	}
	if e.Changes != nil {
		x.Changes = json.RawMessage(*e.Changes)
	}
	return x
}
