package routes

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/roster-go/roster"
)

// Viewer tells for whom a user is shown.
type Viewer string

// The viewers.
const (
	ViewSelf      Viewer = "self"       // the user themselves
	ViewAdmin     Viewer = "admin"      // an administrator who looks at one user
	ViewAdminList Viewer = "admin_list" // an administrator who looks at a list
)

// View makes what clients see of a user.
type View struct {
	model  reflect.Type
	render func(ctx context.Context, u any, v Viewer) any
}

// ViewOf returns a view that encodes what fn returns, which the program answers for.
func ViewOf[U roster.Model](fn func(ctx context.Context, u U, v Viewer) any) View {
	return View{reflect.TypeFor[U](), func(ctx context.Context, u any, v Viewer) any { return fn(ctx, u.(U), v) }}
}

// view encodes the users of one group.
type view[U roster.Model] struct {
	own    func(ctx context.Context, u any, v Viewer) any
	custom []viewField
}

func (v *view[U]) show(ctx context.Context, u U, viewer Viewer) (json.RawMessage, error) {
	if v.own != nil {
		return json.Marshal(v.own(ctx, u, viewer))
	}
	if viewer == ViewSelf {
		return v.encode(u, viewBase(u.Base()))
	}
	return v.encode(u, viewForAdmin(u.Base()))
}

// showOne encodes a user for an administrator who looks at this one.
func (v *view[U]) showOne(u U, standing roster.Standing) (json.RawMessage, error) {
	shown := viewForAdmin(u.Base())
	shown.HasPassword, shown.Epoch, shown.SessionCount = &standing.HasPassword, &standing.Epoch, &standing.Sessions
	if shown.Banned != nil && standing.Ban != nil {
		shown.Banned.Reason, shown.Banned.Note, shown.Banned.By = &standing.Ban.Reason, &standing.Ban.Note, idText(standing.Ban.By)
	}
	return v.encode(u, shown)
}

// encode puts the program's own fields behind what is shown of the base user.
func (v *view[U]) encode(u U, shown any) (json.RawMessage, error) {
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	buffer := bytes.NewBuffer(text[:len(text)-1])
	value := reflect.ValueOf(u).Elem()
	for _, f := range v.custom {
		if err := f.encode(buffer, value); err != nil {
			return nil, err
		}
	}
	buffer.WriteByte('}')
	return buffer.Bytes(), nil
}

// list encodes the users of a page.
func (v *view[U]) list(ctx context.Context, users []U) ([]json.RawMessage, error) {
	items := make([]json.RawMessage, len(users))
	for i, u := range users {
		var err error
		if items[i], err = v.show(ctx, u, ViewAdminList); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// baseView is the base user as everybody may see their own. Its types are plain: most answers are users.
type baseView struct {
	ID            string   `json:"id"`
	Username      *string  `json:"username"`
	Email         *string  `json:"email"`
	EmailVerified *bool    `json:"email_verified"`
	Phone         *string  `json:"phone"`
	PhoneVerified *bool    `json:"phone_verified"`
	Permissions   []string `json:"permissions"`
	Superuser     bool     `json:"superuser"`
	Language      *string  `json:"language"`
	TimeZone      *string  `json:"time_zone"`
	CreatedAt     string   `json:"created_at"`
	UpdatedAt     string   `json:"updated_at"`
	LastLoginAt   *string  `json:"last_login_at"`
	Version       int64    `json:"version"`
}

func viewBase(b *roster.User) baseView {
	v := baseView{
		ID: b.ID.String(), Username: b.Username, Email: b.Email, EmailVerified: proven(b.Email, b.EmailVerifiedAt),
		Phone: b.Phone, PhoneVerified: proven(b.Phone, b.PhoneVerifiedAt), Permissions: b.Permissions, Superuser: b.Superuser,
		Language: b.Language, TimeZone: b.TimeZone, CreatedAt: stamp(b.CreatedAt), UpdatedAt: stamp(b.UpdatedAt),
		LastLoginAt: stampOf(b.LastLoginAt), Version: b.Version,
	}
	if v.Permissions == nil {
		v.Permissions = []string{}
	}
	return v
}

// proven tells whether a contact is proven; nil without one.
func proven(contact *string, at *time.Time) *bool {
	if contact == nil {
		return nil
	}
	return new(at != nil)
}

// adminView adds what only administrators see.
type adminView struct {
	baseView
	Banned   *banView     `json:"banned"`
	Archived *archiveView `json:"archived"`
	Deleted  *deleteView  `json:"deleted"`
	// Only of one user at a time.
	HasPassword  *bool  `json:"has_password,omitempty"`
	Epoch        *int64 `json:"epoch,omitempty"`
	SessionCount *int   `json:"session_count,omitempty"`
}

type banView struct {
	At    string  `json:"at"`
	Until *string `json:"until"`
	// Only of one user at a time. By is absent when the program itself banned them.
	Reason *string `json:"reason,omitempty"`
	Note   *string `json:"note,omitempty"`
	By     *string `json:"by,omitempty"`
}

type archiveView struct {
	At      string `json:"at"`
	ByAdmin bool   `json:"by_admin"`
}

type deleteView struct {
	At   string             `json:"at"`
	Mode *roster.DeleteMode `json:"mode"`
}

func viewForAdmin(b *roster.User) adminView {
	v := adminView{baseView: viewBase(b)}
	if b.BannedAt != nil {
		v.Banned = &banView{At: stamp(*b.BannedAt), Until: stampOf(b.BannedUntil)}
	}
	if b.ArchivedAt != nil {
		v.Archived = &archiveView{stamp(*b.ArchivedAt), b.ArchivedBy != nil && *b.ArchivedBy == roster.ArchivedByAdmin}
	}
	if b.DeletedAt != nil {
		v.Deleted = &deleteView{stamp(*b.DeletedAt), b.DeleteMode}
	}
	return v
}

// stamp writes a time in RFC 3339, UTC, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func stampOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return new(stamp(*t))
}
