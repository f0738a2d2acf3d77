package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// messagesRepo is what the endpoints of the outbox call.
type messagesRepo interface {
	ListMessages(ctx context.Context, query roster.MessageQuery) (roster.Page[roster.MessageInfo], error)
	RetryMessage(ctx context.Context, id roster.ID) error
}

// messagesEndpoints are ADMIN-43.
func messagesEndpoints(repo messagesRepo) []endpoint {
	x := messages{repo}
	return []endpoint{
		{name: "messages", method: http.MethodGet, path: "/messages", auth: AuthSession, permission: roster.PermissionReadMessages, query: true, handle: x.list},
		{name: "message_retry", method: http.MethodPost, path: "/messages/:id/retry", auth: AuthSession, permission: roster.PermissionRetryMessages, handle: x.retry},
	}
}

type messages struct{ repo messagesRepo }

// messageView is a message as administrators see it.
type messageView struct {
	ID        roster.ID `json:"id"`
	Kind      string    `json:"kind"`
	Channel   string    `json:"channel"`
	ToMasked  string    `json:"to_masked"`
	State     string    `json:"state"`
	Attempts  int       `json:"attempts"`
	NextAt    string    `json:"next_at"`
	LastError *string   `json:"last_error"`
	CreatedAt string    `json:"created_at"`
	SentAt    *string   `json:"sent_at"`
}

func (x messages) list(ctx context.Context, r *request) (answer, error) {
	p, err := parametersOf(r.URL, "state", "kind", "channel", "user_id", "created_at.gte", "created_at.lt", "limit", "cursor")
	if err != nil {
		return answer{}, err
	}
	q := roster.MessageQuery{
		State: p.text("state"), Kind: p.text("kind"), Channel: p.text("channel"), UserID: p.id("user_id"),
		Limit: p.limit(), Cursor: p.text("cursor"),
	}
	if from := p.moment("created_at.gte"); from != nil {
		q.From = *from
	}
	if before := p.moment("created_at.lt"); before != nil {
		q.Before = *before
	}
	if err := p.faults.Err(); err != nil {
		return answer{}, err
	}
	page, err := x.repo.ListMessages(ctx, q)
	if err != nil {
		return answer{}, err
	}
	views := make([]messageView, len(page.Items))
	for i, m := range page.Items {
		views[i] = messageView{m.ID, m.Kind, m.Channel, m.ToMasked, m.State, m.Attempts, stamp(m.NextAt), nil, stamp(m.CreatedAt), stampOf(m.SentAt)}
		if m.LastError != "" {
			views[i].LastError = &m.LastError
		}
	}
	return listOf(views, page)
}

func (x messages) retry(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := x.repo.RetryMessage(ctx, idOf(r, "id")); err != nil {
		return answer{}, err
	}
	return accepted()
}
