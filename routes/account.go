package routes

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/roster-go/roster"
)

// accountRepo is what the endpoints of people's own accounts call.
type accountRepo[U roster.Model] interface {
	Decode(ctx context.Context, document json.RawMessage, w roster.Writer) (U, error)
	Register(ctx context.Context, user U, password roster.Secret, options ...roster.RegisterOption) (U, *roster.TokenPair, error)
	Login(ctx context.Context, credentials roster.Credentials) (roster.Login[U], error)
	Logout(ctx context.Context, token roster.Secret) error
	Get(ctx context.Context, id roster.ID) (U, error)
	UpdateAccount(ctx context.Context, id roster.ID, patch json.RawMessage, options ...roster.UpdateOption) (U, error)
}

// accountEndpoints are HTTP-101 to HTTP-103, HTTP-107 and HTTP-108.
func accountEndpoints[U roster.Model](repo accountRepo[U], v *view[U]) []endpoint {
	a := account[U]{repo, v}
	return []endpoint{
		{name: "register", method: http.MethodPost, path: "/register", auth: AuthNone, neutral: true, enters: true, handle: a.register},
		{name: "login", method: http.MethodPost, path: "/login", auth: AuthNone, neutral: true, enters: true, handle: a.login},
		{name: "logout", method: http.MethodPost, path: "/logout", auth: AuthNone, leaves: true, handle: a.logout},
		{name: "me", method: http.MethodGet, path: "/me", auth: AuthSession, handle: a.me},
		{name: "me_update", method: http.MethodPatch, path: "/me", auth: AuthSession, handle: a.update},
	}
}

type account[U roster.Model] struct {
	repo accountRepo[U]
	view *view[U]
}

// registeredAnswer is what register answers.
type registeredAnswer struct {
	User        json.RawMessage `json:"user"`
	Tokens      any             `json:"tokens"`
	DeviceToken string          `json:"device_token,omitempty"`
	CSRFToken   string          `json:"csrf_token,omitempty"`
}

// loggedInAnswer is what login answers.
type loggedInAnswer struct {
	registeredAnswer
	Unarchiving bool `json:"unarchiving"`
	NewDevice   bool `json:"new_device"`
}

func (a account[U]) register(ctx context.Context, r *request) (answer, error) {
	password, confirm := r.body.secret("password"), r.body.secret("password_confirm")
	var options []roster.RegisterOption
	if captcha := r.body.text("captcha"); captcha != nil {
		options = append(options, roster.WithCaptcha(*captcha))
	}
	if remember := r.body.boolean("remember"); remember != nil {
		options = append(options, roster.WithRemember(*remember))
	}
	if device := r.deviceToken(); device != nil {
		options = append(options, roster.WithDevice(*device))
	}
	if client := r.body.text("client_name"); client != nil {
		options = append(options, roster.WithClient(*client))
	}
	user, err := a.repo.Decode(ctx, r.body.rest(), roster.WriterSignup)
	if err := r.body.faults.Collect(err); err != nil {
		return answer{}, err
	}
	mustMatch(r.body, password, confirm)
	if password == nil {
		password = new(roster.Secret)
		options = append(options, roster.WithoutPassword())
	}
	options = append(options, roster.WithFaults(r.body.faults))
	user, tokens, err := a.repo.Register(ctx, user, *password, options...)
	if err != nil {
		return answer{}, err
	}
	var none U
	if any(user) == any(none) {
		return accepted() // nobody is told whether there is an account now, or was one before
	}
	shown, err := a.view.show(ctx, user, ViewSelf)
	if err != nil {
		return answer{}, err
	}
	var device roster.Secret
	if tokens != nil {
		device = tokens.DeviceToken
	}
	h, err := r.hand(ctx, tokens, device)
	return answer{status: http.StatusCreated, body: registeredAnswer{shown, h.tokens, h.device, h.csrf}, cookies: h.cookies}, err
}

// mustMatch adds a fault when a password was repeated and the two differ.
func mustMatch(m *members, password, confirm *roster.Secret) {
	if confirm != nil && (password == nil || *password != *confirm) {
		m.fault("password_confirm", roster.Mismatch)
	}
}

func (a account[U]) login(ctx context.Context, r *request) (answer, error) {
	credentials := roster.Credentials{
		Login: r.body.text("login"), Username: r.body.text("username"), Email: r.body.text("email"),
		Phone: r.body.text("phone"), Handle: r.body.secret("handle"), Password: r.body.secret("password"), Code: r.body.secret("code"),
		Remember: r.body.boolean("remember"), DeviceToken: r.deviceToken(),
	}
	if captcha := r.body.text("captcha"); captcha != nil {
		credentials.Captcha = *captcha
	}
	if client := r.body.text("client_name"); client != nil {
		credentials.Client = *client
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	login, err := a.repo.Login(ctx, credentials)
	if err != nil {
		return answer{}, err
	}
	return loggedIn(ctx, r, a.view, login)
}

func loggedIn[U roster.Model](ctx context.Context, r *request, v *view[U], login roster.Login[U]) (answer, error) {
	shown, err := v.show(ctx, login.User, ViewSelf)
	if err != nil {
		return answer{}, err
	}
	h, err := r.hand(ctx, login.Tokens, login.DeviceToken)
	return answer{status: http.StatusOK, cookies: h.cookies, body: loggedInAnswer{
		registeredAnswer{shown, h.tokens, h.device, h.csrf}, login.Unarchiving, login.NewDevice,
	}}, err
}

// logout ends the session of the first token that is one: of the access token, or else of a refresh token. None, and tokens
// that are none, are no fault.
func (a account[U]) logout(ctx context.Context, r *request) (answer, error) {
	refresh := r.body.secret("refresh_token")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	var tokens []roster.Secret
	p := proofOf(r.Request, r.browser)
	if p.given && p.err == nil {
		tokens = append(tokens, p.token)
	}
	if refresh != nil {
		tokens = append(tokens, *refresh)
	}
	var left answer
	left.status = http.StatusNoContent
	if r.browser != nil && !p.header {
		if token, sent, ok := r.browser.read(r.Request, refreshCookie); sent && ok {
			tokens = append(tokens, token)
		}
		// Whoever sends no cookie and comes from elsewhere takes none back: the check has seen the others.
		if r.browser.isOwnPage(r.Request) {
			left.cookies = r.browser.cleared()
		}
	}
	for _, token := range tokens {
		err := a.repo.Logout(ctx, token)
		if isCode(err, roster.CodeInvalidToken) {
			continue
		}
		if err != nil {
			return answer{}, err
		}
		break
	}
	if p.given || refresh != nil || len(left.cookies) > 0 || !fromElsewhere(r.Request) {
		left.header = r.clearing
	}
	return left, nil
}

func (a account[U]) me(ctx context.Context, _ *request) (answer, error) {
	user, err := a.repo.Get(ctx, roster.ActorFrom(ctx).ID)
	if err != nil {
		return answer{}, err
	}
	return showSelf(ctx, a.view, user)
}

func (a account[U]) update(ctx context.Context, r *request) (answer, error) {
	version, _, err := ifMatch(r.Request)
	if err != nil {
		return answer{}, err
	}
	var options []roster.UpdateOption
	if version != nil {
		options = append(options, roster.IfVersion(*version))
	}
	user, err := a.repo.UpdateAccount(ctx, roster.ActorFrom(ctx).ID, r.body.rest(), options...)
	if err != nil {
		return answer{}, err
	}
	return showSelf(ctx, a.view, user)
}

func showSelf[U roster.Model](ctx context.Context, v *view[U], user U) (answer, error) {
	shown, err := v.show(ctx, user, ViewSelf)
	return answer{status: http.StatusOK, body: shown, header: map[string]string{"ETag": etag(user.Base().Version)}}, err
}
