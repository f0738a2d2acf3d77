package routes_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// account is the user of these tests.
type account struct {
	roster.User
	Company string     `db:"company" json:"company" roster:"create,update,search"`
	Plan    *string    `db:"plan" json:"plan" roster:"admin,filter"`
	Joined  *time.Time `db:"joined" json:"joined"`
	Tags    []string   `db:"tags" json:"tags"`
}

var (
	id      = roster.ID{1: 1, 6: 0x70, 8: 0x80}
	sid     = roster.ID{1: 2, 6: 0x70, 8: 0x80}
	present = time.Date(2026, 11, 22, 11, 0, 0, 123456000, time.FixedZone("", 3600))
)

func someone() *account {
	return &account{
		User: roster.User{
			ID: id, Username: new("ann"), Email: new("ann@example.com"), EmailVerifiedAt: &present, Language: new("en"),
			CreatedAt: present, UpdatedAt: present, LastLoginAt: &present, Version: 7,
		},
		Company: "Acme", Joined: &present, Tags: []string{"a", "b"},
	}
}

var pair = roster.TokenPair{
	AccessToken: "access", ExpiresIn: 10 * time.Minute, RefreshToken: "refresh", RefreshExpiresIn: time.Hour, SessionID: sid,
	DeviceToken: "device", Remember: true, CSRFToken: "csrf",
}

// gate takes the token "access" for that of somebody who may do everything.
type gate struct{}

func (gate) Fields() []roster.Field { return nil }

func (gate) VerifyToken(_ context.Context, access roster.Secret) (roster.Claims, error) {
	if access != "access" {
		return roster.Claims{}, roster.ErrInvalidToken
	}
	return roster.Claims{Subject: id, SessionID: sid, AuthTime: present, AMR: []string{"pwd"}}, nil
}

func (gate) CheckFresh(context.Context) error { return nil }

func (gate) Authorize(context.Context, string) error { return nil }

func (gate) Site() roster.Site {
	return roster.Site{BaseURL: "https://app.example", DeviceTTL: 90 * 24 * time.Hour}
}

func (gate) CheckCSRF(_ context.Context, claims roster.Claims, token roster.Secret) error {
	if claims.SessionID != sid || token != "csrf" {
		return roster.ErrCSRFFailed
	}
	return nil
}

func (gate) CheckTimeoutAndIncr(context.Context, roster.Limit, ...string) (roster.Verdict, error) {
	return roster.Verdict{Allowed: true}, nil
}

// of is a repo of some kind of users that can be mounted, and no more.
type of[U roster.Model] struct {
	routes.UserRepo[U]
	gate
}

func (of[U]) ConcealsRegistration() bool { return false }

func (o of[U]) Fields() []roster.Field { return o.gate.Fields() }

func (o of[U]) VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error) {
	return o.gate.VerifyToken(ctx, access)
}

func (o of[U]) CheckFresh(ctx context.Context) error { return o.gate.CheckFresh(ctx) }

func (o of[U]) Authorize(ctx context.Context, permission string) error {
	return o.gate.Authorize(ctx, permission)
}

func (o of[U]) CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error) {
	return o.gate.CheckTimeoutAndIncr(ctx, limit, keys...)
}

func (o of[U]) Site() roster.Site { return o.gate.Site() }

func (o of[U]) CheckCSRF(ctx context.Context, claims roster.Claims, token roster.Secret) error {
	return o.gate.CheckCSRF(ctx, claims, token)
}

// fake is a repo that does what it is told and stores nothing; an operation that it lacks panics.
type fake struct{ of[*account] }

func (fake) Get(context.Context, roster.ID) (*account, error) { return someone(), nil }

func (fake) Decode(_ context.Context, document json.RawMessage, _ roster.Writer) (*account, error) {
	u := &account{}
	return u, json.Unmarshal(document, u)
}

func (fake) Register(_ context.Context, u *account, _ roster.Secret, _ ...roster.RegisterOption) (*account, *roster.TokenPair, error) {
	return u, &pair, nil
}

func (fake) Login(context.Context, roster.Credentials) (roster.Login[*account], error) {
	return roster.Login[*account]{User: someone(), Tokens: &pair}, nil
}

func (fake) Refresh(context.Context, roster.Secret) (roster.TokenPair, error) { return pair, nil }

// fakeAdmin is the same for administrators.
type fakeAdmin struct {
	routes.AdminRepo[*account]
	gate
}

func (fakeAdmin) Fields() []roster.Field { return nil }

func (f fakeAdmin) VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error) {
	return f.gate.VerifyToken(ctx, access)
}

func (fakeAdmin) CheckFresh(context.Context) error { return nil }

func (f fakeAdmin) Site() roster.Site { return f.gate.Site() }

func (f fakeAdmin) CheckCSRF(ctx context.Context, claims roster.Claims, token roster.Secret) error {
	return f.gate.CheckCSRF(ctx, claims, token)
}

func (fakeAdmin) Authorize(context.Context, string) error { return nil }

func (f fakeAdmin) CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error) {
	return f.gate.CheckTimeoutAndIncr(ctx, limit, keys...)
}

func (fakeAdmin) Get(context.Context, roster.ID) (*account, error) { return someone(), nil }

func (fakeAdmin) Search(context.Context, roster.Query) (roster.Page[*account], error) {
	items := make([]*account, 50)
	for i := range items {
		items[i] = someone()
	}
	return roster.Page[*account]{Items: items, Next: "next"}, nil
}

func (fake) FindContacts(context.Context, string) ([]roster.MaskedContact, error) { return nil, nil }

func (fake) SendCode(context.Context, roster.ContactRef, roster.CodePurpose) error { return nil }

func (fake) CheckCode(context.Context, roster.ContactRef, roster.CodePurpose, roster.Secret, ...roster.LoginOption) (roster.CodeOutcome[*account], error) {
	return roster.CodeOutcome[*account]{}, nil
}
