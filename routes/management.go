package routes

import (
	"context"
	"net/http"
	"slices"

	"github.com/roster-go/roster"
)

// managementRepo is what the endpoints of ruling over accounts call.
type managementRepo[U roster.Model] interface {
	GetBlacklist(ctx context.Context, query roster.BlacklistQuery) (roster.Page[roster.Banned[U]], error)
	ToggleBlacklist(ctx context.Context, id roster.ID) (banned bool, err error)
	Ban(ctx context.Context, id roster.ID, ban roster.Ban) (roster.BanRecord, error)
	Unban(ctx context.Context, id roster.ID) error
	Kick(ctx context.Context, id roster.ID) error
	ArchiveUser(ctx context.Context, id roster.ID, reason string) (U, error)
	UnarchiveUser(ctx context.Context, id roster.ID) (U, error)
	GetBlackout(ctx context.Context) (roster.Blackout, error)
	SetBlackout(ctx context.Context, blackout roster.Blackout) (roster.Blackout, error)
	DeleteBlackout(ctx context.Context) error
	GetPermissions(ctx context.Context, id roster.ID) (roster.Permissions, error)
	SetPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)
	AddPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)
	RemovePermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)
	SetSuperuser(ctx context.Context, id roster.ID, superuser bool) (U, error)
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// managementEndpoints are ADMIN-29 to ADMIN-36 and ADMIN-40.
func managementEndpoints[U roster.Model](repo managementRepo[U], show func(ctx context.Context, u U) (answer, error)) []endpoint {
	x := management[U]{repo, show}
	return []endpoint{
		{name: "blacklist", method: http.MethodGet, path: "/blacklist", auth: AuthSession, permission: roster.PermissionReadUsers, query: true, handle: x.blacklist},
		{name: "blacklist_toggle", method: http.MethodPost, path: "/users/:id/blacklist", auth: AuthSession, permission: roster.PermissionBan, reasoned: true, handle: x.toggle},
		{name: "ban", method: http.MethodPut, path: "/users/:id/ban", auth: AuthSession, permission: roster.PermissionBan, reasoned: true, handle: x.ban},
		{name: "unban", method: http.MethodDelete, path: "/users/:id/ban", auth: AuthSession, permission: roster.PermissionBan, handle: x.done(repo.Unban)},
		{name: "kick", method: http.MethodPost, path: "/users/:id/kick", auth: AuthSession, permission: roster.PermissionKick, handle: x.done(repo.Kick)},
		{name: "archive", method: http.MethodPost, path: "/users/:id/archive", auth: AuthSession, permission: roster.PermissionArchive, handle: x.archive},
		{name: "unarchive", method: http.MethodPost, path: "/users/:id/unarchive", auth: AuthSession, permission: roster.PermissionArchive, handle: x.unarchive},
		{name: "blackout_get", method: http.MethodGet, path: "/blackout", auth: AuthSession, permission: roster.PermissionReadBlackout, handle: x.getBlackout},
		{name: "blackout_set", method: http.MethodPut, path: "/blackout", auth: AuthSession, permission: roster.PermissionSuperuser, fresh: true, reasoned: true, handle: x.setBlackout},
		{name: "blackout_delete", method: http.MethodDelete, path: "/blackout", auth: AuthSession, permission: roster.PermissionSuperuser, fresh: true, reasoned: true, handle: x.deleteBlackout},
		{name: "permissions_get", method: http.MethodGet, path: "/users/:id/permissions", auth: AuthSession, permission: roster.PermissionReadUsers, handle: x.getPermissions},
		{name: "permissions_set", method: http.MethodPut, path: "/users/:id/permissions", auth: AuthSession, permission: roster.PermissionGrant, fresh: true, handle: x.setPermissions},
		{name: "permissions_patch", method: http.MethodPatch, path: "/users/:id/permissions", auth: AuthSession, permission: roster.PermissionGrant, fresh: true, handle: x.patchPermissions},
		{name: "superuser_set", method: http.MethodPut, path: "/users/:id/superuser", auth: AuthSession, permission: roster.PermissionSuperuser, fresh: true, handle: x.setSuperuser},
	}
}

type management[U roster.Model] struct {
	repo managementRepo[U]
	show func(ctx context.Context, u U) (answer, error)
}

// bannedView is a line of the blacklist.
type bannedView struct {
	ID       string  `json:"id"`
	Username *string `json:"username"`
	At       string  `json:"at"`
	Until    *string `json:"until"`
	Reason   string  `json:"reason"`
	Note     string  `json:"note"`
	By       *string `json:"by"`
	Current  bool    `json:"current"`
}

func (x management[U]) blacklist(ctx context.Context, r *request) (answer, error) {
	var q roster.BlacklistQuery
	p, err := parametersOf(r.URL, "by", "since", "until", "current", "limit", "cursor")
	if err != nil {
		return answer{}, err
	}
	q.By, q.Since, q.Until, q.Current = p.id("by"), p.moment("since"), p.moment("until"), p.boolean("current")
	q.Limit, q.Cursor = p.limit(), p.text("cursor")
	if err := p.faults.Err(); err != nil {
		return answer{}, err
	}
	page, err := x.repo.GetBlacklist(ctx, q)
	if err != nil {
		return answer{}, err
	}
	items := make([]bannedView, len(page.Items))
	for i, b := range page.Items {
		u := b.User.Base()
		items[i] = bannedView{
			ID: u.ID.String(), Username: u.Username, At: stamp(b.At), Until: stampOf(b.Until), Reason: b.Reason, Note: b.Note,
			By: idText(b.By), Current: b.Current,
		}
	}
	return listOf(items, page)
}

func (x management[U]) toggle(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	banned, err := x.repo.ToggleBlacklist(ctx, idOf(r, "id"))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]bool{"banned": banned})
}

func (x management[U]) ban(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	ban := roster.Ban{Reason: roster.ActorFrom(ctx).Reason, Until: r.body.moment("until")}
	if note := r.body.text("note"); note != nil {
		ban.Note = *note
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	record, err := x.repo.Ban(ctx, idOf(r, "id"), ban)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"at": stamp(record.At), "until": stampOf(record.Until), "reason": record.Reason, "note": record.Note})
}

// done is an endpoint of an operation that has nothing to answer.
func (x management[U]) done(operation func(ctx context.Context, id roster.ID) error) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		ctx = withReason(ctx, r.body)
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		if err := operation(ctx, idOf(r, "id")); err != nil {
			return answer{}, err
		}
		return noContent()
	}
}

func (x management[U]) archive(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	return x.user(ctx)(x.repo.ArchiveUser(ctx, idOf(r, "id"), roster.ActorFrom(ctx).Reason))
}

func (x management[U]) unarchive(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	return x.user(ctx)(x.repo.UnarchiveUser(ctx, idOf(r, "id")))
}

// user answers with the user that an operation has returned.
func (x management[U]) user(ctx context.Context) func(u U, err error) (answer, error) {
	return func(u U, err error) (answer, error) {
		if err != nil {
			return answer{}, err
		}
		return x.show(ctx, u)
	}
}

// blackoutView is a blackout.
type blackoutView struct {
	SetAt   string  `json:"set_at"`
	By      *string `json:"by"`
	Message string  `json:"message"`
	Closed  bool    `json:"closed"`
	Until   *string `json:"until"`
}

func viewBlackout(b roster.Blackout) blackoutView {
	return blackoutView{stamp(b.SetAt), idText(b.By), b.Message, b.Closed, stampOf(b.Until)}
}

func (x management[U]) getBlackout(ctx context.Context, _ *request) (answer, error) {
	b, err := x.repo.GetBlackout(ctx)
	if err != nil {
		return answer{}, err
	}
	return ok(viewBlackout(b))
}

func (x management[U]) setBlackout(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	b := roster.Blackout{Until: r.body.moment("until")}
	if message := r.body.text("message"); message != nil {
		b.Message = *message
	}
	if closed := r.body.boolean("closed"); closed != nil {
		b.Closed = *closed
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	b, err := x.repo.SetBlackout(ctx, b)
	if err != nil {
		return answer{}, err
	}
	return ok(viewBlackout(b))
}

func (x management[U]) deleteBlackout(ctx context.Context, r *request) (answer, error) {
	return x.done(func(ctx context.Context, _ roster.ID) error { return x.repo.DeleteBlackout(ctx) })(ctx, r)
}

func permissionsAnswer(list roster.Permissions, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]roster.Permissions{"permissions": list})
}

func (x management[U]) getPermissions(ctx context.Context, r *request) (answer, error) {
	return permissionsAnswer(x.repo.GetPermissions(ctx, idOf(r, "id")))
}

func (x management[U]) setPermissions(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	var list []string
	faults := len(r.body.faults)
	if !r.body.take("permissions", &list) && len(r.body.faults) == faults {
		r.body.fault("permissions", roster.Required)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	return permissionsAnswer(x.repo.SetPermissions(ctx, idOf(r, "id"), list))
}

func (x management[U]) patchPermissions(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	var add, remove []string
	r.body.take("add", &add)
	r.body.take("remove", &remove)
	if slices.ContainsFunc(add, func(name string) bool { return slices.Contains(remove, name) }) {
		r.body.fault("remove", roster.Invalid)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	var list roster.Permissions
	err := x.repo.InTx(ctx, func(ctx context.Context) (err error) {
		// The removal first: of a full list, others can then be added.
		if list, err = x.repo.RemovePermissions(ctx, idOf(r, "id"), remove); err != nil || len(add) == 0 {
			return err
		}
		list, err = x.repo.AddPermissions(ctx, idOf(r, "id"), add)
		return err
	})
	return permissionsAnswer(list, err)
}

func (x management[U]) setSuperuser(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	faults := len(r.body.faults)
	superuser := r.body.boolean("superuser")
	if superuser == nil && len(r.body.faults) == faults {
		r.body.fault("superuser", roster.Required)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	return x.user(ctx)(x.repo.SetSuperuser(ctx, idOf(r, "id"), *superuser))
}
