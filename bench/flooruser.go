package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"
)

const floorColumns = `id, username, email, email_verified_at, phone, phone_verified_at, permissions, superuser, language, time_zone,
	banned_at, banned_until, archived_at, archived_by, deleted_at, delete_mode, last_login_at, created_at, updated_at, version, epoch,
	display_name, company, plan`

// The floor of a search keeps its plan for every value, so that it must be one that suits every value: it first finds
// all that match, and then sorts them. OFFSET 0 keeps the planner from walking the order instead.
const (
	newest = `
ORDER BY created_at DESC, id DESC
LIMIT 51`
	floorMe     = "SELECT " + floorColumns + " FROM users WHERE id = $1"
	floorList   = "SELECT " + floorColumns + " FROM users WHERE deleted_at IS NULL" + newest
	floorBegins = "SELECT " + floorColumns + " FROM (SELECT * FROM users\nWHERE email_canonical >= $1 AND email_canonical < $2 AND deleted_at IS NULL OFFSET 0) u" + newest
	floorPart   = "SELECT " + floorColumns + " FROM (SELECT * FROM users\nWHERE search LIKE $1 AND deleted_at IS NULL OFFSET 0) u" + newest
)

func (f *floor) prepare(ctx context.Context, db *sqlx.DB) error {
	for _, s := range []struct {
		into **sqlx.Stmt
		text string
	}{{&f.me, floorMe}, {&f.list, floorList}, {&f.prefix, floorBegins}, {&f.part, floorPart}, {&f.refresh, rotateSession}} {
		var err error
		if *s.into, err = db.PreparexContext(ctx, s.text); err != nil { //nolint:sqlclosecheck // they end with the process
			return err
		}
	}
	return nil
}

// floorUser is a user as it is shown, and what of it is shown otherwise.
type floorUser struct {
	ID            string          `json:"id"`
	Username      *string         `json:"username"`
	Email         *string         `json:"email"`
	EmailVerified *bool           `json:"email_verified"`
	Phone         *string         `json:"phone"`
	PhoneVerified *bool           `json:"phone_verified"`
	Permissions   json.RawMessage `json:"permissions"`
	Superuser     bool            `json:"superuser"`
	Language      *string         `json:"language"`
	TimeZone      *string         `json:"time_zone"`
	CreatedAt     string          `json:"created_at"`
	UpdatedAt     string          `json:"updated_at"`
	LastLoginAt   *string         `json:"last_login_at"`
	Version       int64           `json:"version"`
}

type floorAccount struct {
	DisplayName string  `json:"display_name"`
	Company     *string `json:"company"`
	Plan        string  `json:"plan"`
}

type floorSelf struct {
	floorUser
	floorAccount
}

type floorListed struct {
	floorUser
	Banned   *struct{} `json:"banned"` // nobody is
	Archived *struct{} `json:"archived"`
	Deleted  *struct{} `json:"deleted"`
	floorAccount
}

func scanFloor(rows *sql.Rows, u *floorUser, a *floorAccount) error {
	var emailAt, phoneAt, banned, until, archived, deleted, login *time.Time
	var created, updated time.Time
	var by, mode *string
	var epoch int64
	err := rows.Scan(&u.ID, &u.Username, &u.Email, &emailAt, &u.Phone, &phoneAt, &u.Permissions, &u.Superuser, &u.Language, &u.TimeZone,
		&banned, &until, &archived, &by, &deleted, &mode, &login, &created, &updated, &u.Version, &epoch,
		&a.DisplayName, &a.Company, &a.Plan)
	if u.Email != nil {
		u.EmailVerified = new(emailAt != nil)
	}
	if u.Phone != nil {
		u.PhoneVerified = new(phoneAt != nil)
	}
	if login != nil {
		u.LastLoginAt = new(stamp(*login))
	}
	u.CreatedAt, u.UpdatedAt = stamp(created), stamp(updated)
	return err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (f *floor) showMe(c echo.Context) error {
	id, err := f.user(c)
	if err != nil {
		return err
	}
	rows, err := f.me.QueryContext(c.Request().Context(), id)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var u floorSelf
	if !rows.Next() {
		return echo.ErrNotFound
	}
	if err := scanFloor(rows, &u.floorUser, &u.floorAccount); err != nil {
		return err
	}
	c.Response().Header().Set("ETag", `"1"`)
	return send(c, http.StatusOK, u)
}

// showList answers a page of fifty: all, those whose address begins so, or those in whom a text is found.
func (f *floor) showList(c echo.Context) error {
	if _, err := f.user(c); err != nil {
		return err
	}
	ctx, q := c.Request().Context(), c.QueryParams()
	var rows *sql.Rows
	var err error
	switch {
	case q.Has("email.starts_with"):
		prefix := q.Get("email.starts_with")
		rows, err = f.prefix.QueryContext(ctx, prefix, prefix+"\U0010FFFF")
	case q.Has("q"):
		rows, err = f.part.QueryContext(ctx, "%"+q.Get("q")+"%")
	default:
		rows, err = f.list.QueryContext(ctx)
	}
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	page := struct {
		Items []floorListed `json:"items"`
		Next  *string       `json:"next"`
	}{Items: make([]floorListed, 0, 51)}
	for rows.Next() {
		var u floorListed
		if err := scanFloor(rows, &u.floorUser, &u.floorAccount); err != nil {
			return err
		}
		page.Items = append(page.Items, u)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(page.Items) > 50 {
		page.Items = page.Items[:50]
		last := page.Items[49]
		page.Next = new(base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt + last.ID + strings.Repeat(".", 40))))
	}
	return send(c, http.StatusOK, page)
}
