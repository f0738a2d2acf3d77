package routes

import (
	"context"
	"net/http"
	"net/url"

	"github.com/roster-go/roster"
)

// socialRepo is what the endpoints of accounts at other providers call.
type socialRepo interface {
	ListSocial(ctx context.Context, id roster.ID) ([]roster.SocialAccount, error)
	UnlinkSocial(ctx context.Context, id roster.ID, provider, subject string) error
}

// socialEndpoints are HTTP-135.
func socialEndpoints(repo socialRepo) []endpoint {
	s := social{repo}
	return []endpoint{
		{name: "identities", method: http.MethodGet, path: "/me/identities", auth: AuthSession, handle: s.list},
		{name: "identity_unlink", method: http.MethodDelete, path: "/me/identities/:provider/:subject", auth: AuthSession, fresh: true, handle: s.unlink},
	}
}

type social struct{ repo socialRepo }

// identityView is a linked account as its owner sees it. What the provider told about it stays with the program.
type identityView struct {
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	LinkedAt string `json:"linked_at"`
}

func (s social) list(ctx context.Context, _ *request) (answer, error) {
	list, err := s.repo.ListSocial(ctx, roster.ActorFrom(ctx).ID)
	if err != nil {
		return answer{}, err
	}
	items := make([]identityView, len(list))
	for i, a := range list {
		items[i] = identityView{a.Provider, a.Subject, stamp(a.LinkedAt)}
	}
	return ok(map[string]any{"items": items})
}

func (s social) unlink(ctx context.Context, r *request) (answer, error) {
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	provider, known := segment(r, "provider")
	subject, valid := segment(r, "subject")
	if !known || !valid {
		return answer{}, roster.ErrNotFound
	}
	if err := s.repo.UnlinkSocial(ctx, roster.ActorFrom(ctx).ID, provider, subject); err != nil {
		return answer{}, err
	}
	return noContent()
}

// segment is a parameter of the path as the client meant it. Echo decodes the path before it looks for the route, unless
// decoding would make it another one, as that of %2F would.
func segment(r *request, name string) (string, bool) {
	value := r.param(name)
	if r.URL.RawPath == "" {
		return value, true
	}
	value, err := url.PathUnescape(value)
	return value, err == nil
}
