package routes

import (
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/roster-go/roster"
)

// usersRepo is what the endpoints of managing users call.
type usersRepo[U roster.Model] interface {
	Decode(ctx context.Context, document json.RawMessage, w roster.Writer) (U, error)
	Patch(ctx context.Context, user U, document json.RawMessage, w roster.Writer) error
	Create(ctx context.Context, user U, options ...roster.CreateOption) (U, error)
	Get(ctx context.Context, id roster.ID) (U, error)
	GetByEmail(ctx context.Context, email string) (U, error)
	GetByUsername(ctx context.Context, username string) (U, error)
	GetByPhone(ctx context.Context, phone string) (U, error)
	GetByLogin(ctx context.Context, login string) (U, error)
	GetBySocial(ctx context.Context, provider, subject string) (U, error)
	Update(ctx context.Context, id roster.ID, fn func(user U) error, options ...roster.UpdateOption) (U, error)
	Delete(ctx context.Context, id roster.ID, mode roster.DeleteMode) error
	Restore(ctx context.Context, id roster.ID) (U, error)
	Search(ctx context.Context, query roster.Query) (roster.Page[U], error)
	GetStanding(ctx context.Context, id roster.ID) (roster.Standing, error)
}

// usersEndpoints are ADMIN-21 to ADMIN-28.
func usersEndpoints[U roster.Model](repo usersRepo[U], v *view[U]) []endpoint {
	x := users[U]{repo, v}
	return []endpoint{
		{name: "users_list", method: http.MethodGet, path: "/users", auth: AuthSession, permission: roster.PermissionReadUsers, query: true, handle: x.list},
		{name: "users_search", method: http.MethodPost, path: "/users/search", auth: AuthSession, permission: roster.PermissionReadUsers, handle: x.search},
		{name: "user_create", method: http.MethodPost, path: "/users", auth: AuthSession, permission: roster.PermissionCreateUsers, handle: x.create},
		{name: "user_lookup", method: http.MethodPost, path: "/users/lookup", auth: AuthSession, permission: roster.PermissionReadUsers, handle: x.lookup},
		{name: "user_get", method: http.MethodGet, path: "/users/:id", auth: AuthSession, permission: roster.PermissionReadUsers, handle: x.get},
		{name: "user_update", method: http.MethodPatch, path: "/users/:id", auth: AuthSession, permission: roster.PermissionUpdateUsers, handle: x.update},
		{name: "user_delete", method: http.MethodDelete, path: "/users/:id", auth: AuthSession, permission: roster.PermissionDeleteUsers, fresh: true, reasoned: true, handle: x.delete},
		{name: "user_restore", method: http.MethodPost, path: "/users/:id/restore", auth: AuthSession, permission: roster.PermissionDeleteUsers, handle: x.restore},
	}
}

type users[U roster.Model] struct {
	repo usersRepo[U]
	view *view[U]
}

func (x users[U]) list(ctx context.Context, r *request) (answer, error) {
	q, err := queryOfURL(r.URL)
	if err != nil {
		return answer{}, err
	}
	return x.page(ctx, q)
}

func (x users[U]) search(ctx context.Context, r *request) (answer, error) {
	q, err := queryOfBody(r.body)
	if err != nil {
		return answer{}, err
	}
	return x.page(ctx, q)
}

func (x users[U]) page(ctx context.Context, q roster.Query) (answer, error) {
	page, err := x.repo.Search(ctx, q)
	if err != nil {
		return answer{}, err
	}
	items, err := x.view.list(ctx, page.Items)
	if err != nil {
		return answer{}, err
	}
	return listOf(items, page)
}

func (x users[U]) create(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	options := createOptions(r.body)
	user, err := x.repo.Decode(ctx, r.body.rest(), roster.WriterAdmin)
	if err := r.body.faults.Collect(err); err != nil {
		return answer{}, err
	}
	user, err = x.repo.Create(ctx, user, append(options, roster.WithFaults(r.body.faults))...)
	if err != nil {
		return answer{}, err
	}
	a, err := x.show(ctx, user)
	a.status = http.StatusCreated
	a.header["Location"] = r.URL.EscapedPath() + "/" + user.Base().ID.String()
	return a, err
}

// createOptions reads what of a new user is no field.
func createOptions(m *members) []roster.CreateOption {
	var options []roster.CreateOption
	if verified := m.boolean("email_verified"); verified != nil && *verified {
		options = append(options, roster.WithEmailVerified())
	}
	if verified := m.boolean("phone_verified"); verified != nil && *verified {
		options = append(options, roster.WithPhoneVerified())
	}
	var permissions []string
	if m.take("permissions", &permissions) {
		options = append(options, roster.WithPermissions(permissions...))
	}
	if send := m.text("send"); send != nil {
		switch *send {
		case "none":
		case "confirm":
			options = append(options, roster.WithConfirmation())
		case "password_set":
			options = append(options, roster.WithInvitation())
		default:
			m.fault("send", roster.Invalid)
		}
	}
	return options
}

// show answers with a user, as an administrator sees one. What the operation let them do, they may see the result of.
func (x users[U]) show(ctx context.Context, user U) (answer, error) {
	if x.view.own != nil {
		shown, err := x.view.show(ctx, user, ViewAdmin)
		return answer{status: http.StatusOK, body: shown, header: map[string]string{"ETag": etag(user.Base().Version)}}, err
	}
	standing, err := x.repo.GetStanding(roster.AsSystem(ctx), user.Base().ID)
	if err != nil {
		return answer{}, err
	}
	shown, err := x.view.showOne(user, standing)
	return answer{status: http.StatusOK, body: shown, header: map[string]string{"ETag": etag(user.Base().Version)}}, err
}

// lookup finds one user without personal data in a URL.
func (x users[U]) lookup(ctx context.Context, r *request) (answer, error) {
	var by []func() (U, error)
	for _, way := range []struct {
		name string
		find func(context.Context, string) (U, error)
	}{
		{"email", x.repo.GetByEmail},
		{"username", x.repo.GetByUsername},
		{"phone", x.repo.GetByPhone},
		{"login", x.repo.GetByLogin},
	} {
		if value := r.body.text(way.name); value != nil {
			by = append(by, func() (U, error) { return way.find(ctx, *value) })
		}
	}
	r.body.object("social", func(social *members) {
		provider, subject := social.need("provider"), social.need("subject")
		by = append(by, func() (U, error) { return x.repo.GetBySocial(ctx, provider, subject) })
	})
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	switch {
	case len(by) == 0:
		return answer{}, roster.FieldErrors{{Code: roster.Required}}.Err()
	case len(by) > 1:
		return answer{}, roster.FieldErrors{{Code: roster.Invalid}}.Err()
	}
	user, err := by[0]()
	if err != nil {
		return answer{}, err
	}
	return x.show(ctx, user)
}

func (x users[U]) get(ctx context.Context, r *request) (answer, error) {
	return x.one(ctx, r, x.repo.Get)
}

func (x users[U]) restore(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	return x.one(ctx, r, x.repo.Restore)
}

func (x users[U]) one(ctx context.Context, r *request, operation func(context.Context, roster.ID) (U, error)) (answer, error) {
	user, err := operation(ctx, idOf(r, "id"))
	if err != nil {
		return answer{}, err
	}
	return x.show(ctx, user)
}

func (x users[U]) update(ctx context.Context, r *request) (answer, error) {
	version, given, err := ifMatch(r.Request)
	if err != nil {
		return answer{}, err
	}
	if !given {
		return answer{}, faultOf(roster.CodeVersionRequired).WithMessage("send If-Match with the version that you have seen")
	}
	ctx = withReason(ctx, r.body)
	var options []roster.UpdateOption
	if version != nil {
		options = append(options, roster.IfVersion(*version))
	}
	patch := r.body.rest()
	user, err := x.repo.Update(ctx, idOf(r, "id"), func(user U) error {
		faults := r.body.faults
		if err := faults.Collect(x.repo.Patch(ctx, user, patch, roster.WriterAdmin)); err != nil {
			return err
		}
		return faults.Err()
	}, options...)
	if err != nil {
		return answer{}, err
	}
	return x.show(ctx, user)
}

func (x users[U]) delete(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	mode := roster.Deactivate
	if m := r.body.text("mode"); m != nil {
		mode = roster.DeleteMode(*m)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := x.repo.Delete(ctx, idOf(r, "id"), mode); err != nil {
		return answer{}, err
	}
	return noContent()
}

// withReason puts what an administrator gives as reason into the record.
func withReason(ctx context.Context, m *members) context.Context {
	reason := m.text("reason")
	if reason == nil {
		return ctx
	}
	if utf8.RuneCountInString(*reason) > roster.MaxReason {
		m.fault("reason", roster.TooLong)
		return ctx
	}
	a := roster.ActorFrom(ctx)
	a.Reason = *reason
	return roster.WithActor(ctx, a)
}
