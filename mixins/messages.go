package mixins

import (
	"context"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// ListMessages implements AdministrationOps.
func (m Administration[U]) ListMessages(ctx context.Context, query roster.MessageQuery) (roster.Page[roster.MessageInfo], error) {
	var page roster.Page[roster.MessageInfo]
	c := m.core
	ctx, err := c.enter(ctx, "ListMessages")
	if err != nil {
		return page, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadMessages, roster.ID{}); err != nil {
		return page, err
	}
	q, err := outboxQuery(query)
	if err != nil {
		return page, err
	}
	cursor := query.Cursor
	query.Cursor, query.Limit = "", 0
	if q.After, err = c.openMark("messages", cursor, query); err != nil {
		return page, err
	}
	list, err := c.Store.ListMessages(ctx, q)
	if err != nil {
		return page, err
	}
	if len(list) > q.Limit {
		list = list[:q.Limit]
		last := list[q.Limit-1]
		page.Next = c.sealMark("messages", store.Mark{At: last.CreatedAt, ID: last.ID}, query)
	}
	page.Items = make([]roster.MessageInfo, len(list))
	for i, x := range list {
		page.Items[i] = roster.MessageInfo{
			ID: x.ID, Kind: x.Kind, Channel: x.Channel, ToMasked: maskRecipient(x.Message), State: string(x.State), Attempts: x.Attempts,
			NextAt: x.NextAt, LastError: x.Failure, CreatedAt: x.CreatedAt, SentAt: x.SentAt,
		}
	}
	return page, nil
}

// outboxQuery judges a query.
func outboxQuery(query roster.MessageQuery) (store.OutboxQuery, error) {
	var faults roster.FieldErrors
	q := store.OutboxQuery{
		State: query.State, Kind: query.Kind, Channel: query.Channel, UserID: query.UserID, From: query.From, Before: query.Before,
		Limit: pageLimit(query.Limit, &faults),
	}
	switch store.MessageState(q.State) {
	case "", store.MessagePending, store.MessageSending, store.MessageSent, store.MessageDead, store.MessageCancelled, store.MessageExpired:
	default:
		faults.Add("state", roster.Invalid)
	}
	if q.Kind != "" && !slices.Contains(notify.Kinds(), q.Kind) {
		faults.Add("kind", roster.Invalid)
	}
	switch notify.Channel(q.Channel) {
	case "", notify.Email, notify.SMS:
	default:
		faults.Add("channel", roster.Invalid)
	}
	return q, faults.Err()
}

func maskRecipient(m store.Message) string {
	if notify.Channel(m.Channel) == notify.SMS {
		return identifiers.Mask(identifiers.KindPhone, m.To)
	}
	return identifiers.Mask(identifiers.KindEmail, m.To)
}

// RetryMessage implements AdministrationOps.
func (m Administration[U]) RetryMessage(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RetryMessage")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if _, err := c.judge(ctx, roster.PermissionRetryMessages, roster.ID{}); err != nil {
			return err
		}
		revived, err := c.Store.ReviveMessage(ctx, id, c.now())
		if err != nil {
			return err
		}
		if !revived {
			return roster.ErrConflict.WithMessage("the message is not dead, or what it carries has ended")
		}
		c.Store.AfterCommit(ctx, func(context.Context) { c.wake() })
		return c.recordDeed(ctx, deed{action: "message.retry", changes: map[string]any{"message": id}})
	})
}
