package storetest

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// account is a user with a column of each Go type that programs have.
type account struct {
	roster.User
	Company  string
	Nickname *string
	Seats    int64
	Score    float64
	Active   bool
	JoinedAt time.Time
	LeftAt   *time.Time
	Avatar   []byte
	Tenant   uuid.UUID
	Tier     tier
}

// tier is a type of the program's own, with a form of its own in the database.
type tier int

const (
	free tier = iota
	gold
	faulty // Value fails
)

var (
	tierNames = []string{"free", "gold"}
	errTier   = errors.New("there is no such tier")
)

// Value implements driver.Valuer.
func (x tier) Value() (driver.Value, error) {
	if x == faulty {
		return nil, errTier
	}
	return tierNames[x], nil
}

// Scan implements sql.Scanner.
func (x *tier) Scan(src any) error {
	for i, name := range tierNames {
		if fmt.Sprintf("%s", src) == name {
			*x = tier(i)
			return nil
		}
	}
	return errTier
}

type field struct {
	name     string
	nullable bool
	postgres string // of the program's own columns
	sqlite   string
	at       func(*account) any
}

var fields = []field{
	{"id", false, "", "", func(a *account) any { return &a.ID }},
	{"username", true, "", "", func(a *account) any { return &a.Username }},
	{"email", true, "", "", func(a *account) any { return &a.Email }},
	{"phone", true, "", "", func(a *account) any { return &a.Phone }},
	{"email_verified_at", true, "", "", func(a *account) any { return &a.EmailVerifiedAt }},
	{"phone_verified_at", true, "", "", func(a *account) any { return &a.PhoneVerifiedAt }},
	{"permissions", true, "", "", func(a *account) any { return &a.Permissions }},
	{"superuser", false, "", "", func(a *account) any { return &a.Superuser }},
	{"language", true, "", "", func(a *account) any { return &a.Language }},
	{"time_zone", true, "", "", func(a *account) any { return &a.TimeZone }},
	{"banned_at", true, "", "", func(a *account) any { return &a.BannedAt }},
	{"banned_until", true, "", "", func(a *account) any { return &a.BannedUntil }},
	{"archived_at", true, "", "", func(a *account) any { return &a.ArchivedAt }},
	{"archived_by", true, "", "", func(a *account) any { return &a.ArchivedBy }},
	{"deleted_at", true, "", "", func(a *account) any { return &a.DeletedAt }},
	{"delete_mode", true, "", "", func(a *account) any { return &a.DeleteMode }},
	{"last_login_at", true, "", "", func(a *account) any { return &a.LastLoginAt }},
	{"created_at", false, "", "", func(a *account) any { return &a.CreatedAt }},
	{"updated_at", false, "", "", func(a *account) any { return &a.UpdatedAt }},
	{"version", false, "", "", func(a *account) any { return &a.Version }},
	{"epoch", false, "", "", func(a *account) any { return &a.Epoch }},
	{"company", false, "text NOT NULL DEFAULT ''", "text NOT NULL DEFAULT ''", func(a *account) any { return &a.Company }},
	{"nickname", true, "varchar(20)", "text CHECK (length(nickname) <= 20)", func(a *account) any { return &a.Nickname }},
	{"seats", false, "bigint NOT NULL DEFAULT 0 CHECK (seats >= 0)", "integer NOT NULL DEFAULT 0 CHECK (seats >= 0)", func(a *account) any { return &a.Seats }},
	{"score", false, "double precision NOT NULL DEFAULT 0", "real NOT NULL DEFAULT 0", func(a *account) any { return &a.Score }},
	{"active", false, "boolean NOT NULL DEFAULT false", "boolean NOT NULL DEFAULT false", func(a *account) any { return &a.Active }},
	{"joined_at", false, "timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00'", "TIMESTAMP NOT NULL DEFAULT -62135596800000000", func(a *account) any { return &a.JoinedAt }},
	{"left_at", true, "timestamptz", "TIMESTAMP", func(a *account) any { return &a.LeftAt }},
	{"avatar", true, "bytea", "blob", func(a *account) any { return &a.Avatar }},
	{"tenant", false, "uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'", "text NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'", func(a *account) any { return &a.Tenant }},
	{"tier", false, "text NOT NULL DEFAULT 'free'", "text NOT NULL DEFAULT 'free'", func(a *account) any { return &a.Tier }},
}

// Columns are those of the suite's users. In JSON the program's own are named with an x, to be told from columns.
func Columns() []store.Column {
	list := make([]store.Column, len(fields))
	for i, f := range fields {
		list[i] = store.Column{
			Name: f.name, Field: f.name, Custom: f.postgres != "", Nullable: f.nullable,
			SQLType: func(d store.Dialect) string {
				return map[store.Dialect]string{store.PostgreSQL: f.postgres, store.SQLite: f.sqlite}[d]
			},
		}
		if list[i].Custom {
			list[i].Field = "x_" + f.name
		}
	}
	return list
}

// dest returns where the columns of an account are scanned to.
func (a *account) dest() []any {
	list := make([]any, len(fields))
	for i, f := range fields {
		list[i] = f.at(a)
	}
	return list
}

// values returns the values of the columns of an account.
func (a *account) values() []any {
	list := a.dest()
	for i, p := range list {
		list[i] = reflect.ValueOf(p).Elem().Interface()
	}
	return list
}

// utc brings all times to UTC, as the components of a repo do with what they read.
func (a *account) utc() *account {
	for _, p := range a.dest() {
		switch t := p.(type) {
		case *time.Time:
			*t = t.UTC()
		case **time.Time:
			if *t != nil {
				u := (*t).UTC()
				*t = &u
			}
		}
	}
	return a
}

// derived is what a component would derive: here no more than lower case.
func (a *account) derived() store.Derived {
	d := store.Derived{Username: lower(a.Username), Email: lower(a.Email)}
	for _, s := range []*string{d.Username, d.Email, a.Phone, &a.Company} {
		if s != nil {
			d.Search += strings.ToLower(*s) + "\n"
		}
	}
	return d
}

func lower(s *string) *string {
	if s == nil {
		return nil
	}
	return new(strings.ToLower(*s))
}
