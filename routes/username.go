package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// usernameRepo is what the endpoints of usernames call.
type usernameRepo[U roster.Model] interface {
	CheckUsername(ctx context.Context, name string) (roster.UsernameStatus, error)
	ChangeUsername(ctx context.Context, id roster.ID, name string, options ...roster.UsernameOption) (U, error)
	ConcealsRegistration() bool
}

// usernameEndpoints are HTTP-112 and HTTP-113.
func usernameEndpoints[U roster.Model](repo usernameRepo[U], v *view[U]) []endpoint {
	u := username[U]{repo, v}
	return []endpoint{
		{name: "username_change", method: http.MethodPut, path: "/me/username", auth: AuthSession, handle: u.change},
		{
			name: usernameCheck, method: http.MethodGet, path: "/username-check", auth: AuthNone, query: true, handle: u.check,
			onRequest: repo.ConcealsRegistration(),
		},
	}
}

const usernameCheck = "username_check"

type username[U roster.Model] struct {
	repo usernameRepo[U]
	view *view[U]
}

func (u username[U]) change(ctx context.Context, r *request) (answer, error) {
	name := r.body.need("username")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	user, err := u.repo.ChangeUsername(ctx, roster.ActorFrom(ctx).ID, name)
	if err != nil {
		return answer{}, err
	}
	return showSelf(ctx, u.view, user)
}

const maxCheckedName = 128 // bytes

func (u username[U]) check(ctx context.Context, r *request) (answer, error) {
	p, err := parametersOf(r.URL, "name")
	if err != nil {
		return answer{}, err
	}
	name := p.text("name")
	if name == "" || len(name) > maxCheckedName {
		return answer{}, parameterFault("name")
	}
	status, err := u.repo.CheckUsername(ctx, name)
	if err != nil {
		return answer{}, err
	}
	shown := struct {
		Name      string                 `json:"name"`
		Canonical string                 `json:"canonical"`
		Available bool                   `json:"available"`
		Reason    *roster.UsernameReason `json:"reason"`
		Problems  []roster.FieldCode     `json:"problems"`
	}{status.Name, status.Canonical, status.Available, nil, append([]roster.FieldCode{}, status.Problems...)}
	if status.Reason != roster.UsernameFree {
		shown.Reason = &status.Reason
	}
	return ok(shown)
}
