package routes

import (
	"context"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// leaveRepo is what the endpoints call by which people take their account along, or away.
type leaveRepo interface {
	Archive(ctx context.Context, id roster.ID, password roster.Secret) error
	Close(ctx context.Context, id roster.ID, password roster.Secret) error
	ExportAccount(ctx context.Context, id roster.ID, w io.Writer) error
}

// leaveEndpoints are HTTP-109 to HTTP-111.
func leaveEndpoints(repo leaveRepo) []endpoint {
	return []endpoint{
		{name: "me_close", method: http.MethodDelete, path: "/me", auth: AuthSession, handle: leave(repo.Close)},
		{name: "me_archive", method: http.MethodPost, path: "/me/archive", auth: AuthSession, handle: leave(repo.Archive)},
		{name: "me_export", method: http.MethodGet, path: "/me/export", auth: AuthSession, fresh: true, handle: export(repo)},
	}
}

// leave does away with the own account. The operation asks for the password, or for a fresh session where there is none.
func leave(operation func(context.Context, roster.ID, roster.Secret) error) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		password := r.body.secret("password")
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		if password == nil {
			password = new(roster.Secret)
		}
		if err := operation(ctx, roster.ActorFrom(ctx).ID, *password); err != nil {
			return answer{}, err
		}
		return answer{status: http.StatusNoContent, header: r.clearing, cookies: r.forget()}, nil
	}
}

// export sends the own account as a file.
func export(repo leaveRepo) handler {
	return func(context.Context, *request) (answer, error) {
		return answer{
			status: http.StatusOK,
			header: map[string]string{
				echo.HeaderContentType:        "application/json; charset=utf-8",
				echo.HeaderContentDisposition: `attachment; filename="account.json"`,
			},
			stream: func(ctx context.Context, w io.Writer) error {
				return repo.ExportAccount(ctx, roster.ActorFrom(ctx).ID, w)
			},
		}, nil
	}
}
