package routes

import (
	"context"
	"net/http"
	"time"

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
	q, err := messageQuery(r.URL.RawQuery)
	if err != nil {
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
	next := &page.Next
	if page.Next == "" {
		next = nil
	}
	return ok(map[string]any{"items": views, "next": next})
}

// messageQuery reads the query string of the list: fields with eq, and created_at with gte and lt.
func messageQuery(text string) (roster.MessageQuery, error) {
	general, err := queryOfURL(text)
	q := roster.MessageQuery{Limit: general.Limit, Cursor: general.Cursor}
	if err != nil {
		return q, err
	}
	var faults roster.FieldErrors
	for name, given := range map[string]bool{"q": general.Text != "", "sort": general.Sort != nil, "total": general.Total != roster.TotalNone} {
		if given {
			faults.Add(name, roster.UnknownField)
		}
	}
	for _, f := range general.Filters {
		value, _ := f.Value.(roster.Literal)
		known := f.Op == roster.Eq
		switch f.Field {
		case "state":
			q.State = string(value)
		case "kind":
			q.Kind = string(value)
		case "channel":
			q.Channel = string(value)
		case "user_id":
			id, err := roster.ParseID(string(value))
			if err != nil {
				faults.Add(f.Field, roster.WrongType)
			}
			q.UserID = &id
		case "created_at":
			at, err := time.Parse(time.RFC3339, string(value))
			if err != nil {
				faults.Add(f.Field, roster.WrongType)
			}
			switch known = true; f.Op {
			case roster.Gte:
				q.From = at
			case roster.Lt:
				q.Before = at
			default:
				known = false
			}
		default:
			faults.Add(f.Field, roster.UnknownField)
			continue
		}
		if !known || value == "" {
			faults.Add(f.Field, roster.Invalid)
		}
	}
	return q, faults.Err()
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
