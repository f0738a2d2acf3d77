package usersrepo_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// misspelt has hooks that would never run, and methods that are none.
type misspelt struct{ accounts }

func (*misspelt) BeforeCraete(context.Context, *callbacks.Create[*account]) error { return nil }
func (*misspelt) OnCreat(context.Context, *callbacks.Create[*account]) error      { return nil }
func (*misspelt) AfterLogon(context.Context, *callbacks.Login[*account]) error    { return nil }
func (*misspelt) BeforeLoginFailed(context.Context, *callbacks.LoginFailed) error { return nil }
func (*misspelt) OnPaswordChange(context.Context, *callbacks.PasswordChange[*account]) error {
	return nil
}

func (*misspelt) BeforeContactChanged(context.Context, *callbacks.ContactChange[*account]) error {
	return nil
}

func (*misspelt) Onboard() {}

func (*misspelt) Beforehand() {}

func (*misspelt) Afternoon() {}

func (*misspelt) On1() {}

// HOOK-9, case 5; protection.md, case 25.
func TestHOOK_9_MisspeltHooks(t *testing.T) {
	t.Parallel()
	cfg, _ := config(t)

	t.Run("are refused all at once, with the nearest names", func(t *testing.T) {
		err := usersrepo.Init(&misspelt{}, cfg)
		if err == nil {
			t.Fatal("got no error")
		}
		got := map[string]string{}
		for line := range strings.Lines(err.Error()) {
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "usersrepo: "), ":")
			_, nearest, _ := strings.Cut(rest, "did you mean ")
			got[name], _, _ = strings.Cut(nearest, "?")
		}
		want := map[string]string{
			"BeforeCraete": "BeforeCreate", "OnCreat": "OnCreate", "AfterLogon": "AfterLogin",
			"BeforeLoginFailed": "AfterLoginFailed", "OnPaswordChange": "OnPasswordChange",
			"BeforeContactChanged": "BeforeContactChange",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("names and suggestions (-want +got):\n%s\n%v", diff, err)
		}
	})

	t.Run("are taken for what they are when AllowMethods lists them", func(t *testing.T) {
		cfg := cfg
		cfg.AllowMethods = []string{"BeforeCraete", "OnCreat", "AfterLogon", "BeforeLoginFailed", "OnPaswordChange"}
		if err := usersrepo.Init(&misspelt{}, cfg); err == nil || !strings.Contains(err.Error(), "BeforeContactChanged") || strings.Contains(err.Error(), "OnCreat") {
			t.Errorf("with one left: got %v", err)
		}
		cfg.AllowMethods = append(cfg.AllowMethods, "BeforeContactChanged")
		if err := usersrepo.Init(&misspelt{}, cfg); err != nil {
			t.Errorf("with all: got %v", err)
		}
	})
}

// middle stands between the repo and the program.
type middle struct {
	accounts
	log []string
}

func (m *middle) note(what string) { m.log = append(m.log, what) }

func (m *middle) BeforeLogin(context.Context, *callbacks.Login[*account]) error {
	m.note("middle: BeforeLogin")
	return nil
}

func (m *middle) OnLogin(context.Context, *callbacks.Login[*account]) error {
	m.note("middle: OnLogin")
	return nil
}

func (m *middle) UpdateLastLogin(ctx context.Context, id roster.ID) error {
	m.note("middle: UpdateLastLogin")
	return m.accounts.UpdateLastLogin(ctx, id)
}

func (m *middle) TokenClaims(ctx context.Context, u *account) (map[string]any, error) {
	m.note("middle: TokenClaims")
	return m.accounts.TokenClaims(ctx, u)
}

type outermost struct{ middle }

func (o *outermost) AfterLogin(context.Context, *callbacks.Login[*account]) error {
	o.note("outer: AfterLogin")
	return nil
}

func (o *outermost) OnLogin(ctx context.Context, e *callbacks.Login[*account]) error {
	o.note("outer: OnLogin")
	return o.middle.OnLogin(ctx, e)
}

func (o *outermost) TokenClaims(context.Context, *account) (map[string]any, error) {
	o.note("outer: TokenClaims")
	return map[string]any{"company": "none"}, nil
}

// HOOK-11, case 27.
func TestHOOK_11_MiddleType(t *testing.T) {
	t.Parallel()
	app, _ := started(t, &outermost{})
	u, err := app.Create(t.Context(), ann())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.IssueTokens(t.Context(), u.ID, roster.IssueOptions{}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"middle: BeforeLogin", "middle: UpdateLastLogin", "outer: TokenClaims", "outer: AfterLogin",
		"outer: OnLogin", "middle: OnLogin",
	}
	if diff := cmp.Diff(want, app.log); diff != "" {
		t.Errorf("what ran (-want +got):\n%s", diff)
	}
}

// armed has a hook on the users' type, where nothing would call it.
type armed struct{ roster.User }

func (*armed) BeforeCreate(context.Context, *callbacks.Create[*armed]) error { return nil }

func (*armed) OnUpdate() {} // another library's

// HOOK-9: hooks on the users' type would never run.
func TestHOOK_9_HooksOfUsers(t *testing.T) {
	t.Parallel()
	cfg, _ := config(t)
	_, err := usersrepo.New[*armed](cfg)
	if err == nil || !strings.Contains(err.Error(), "BeforeCreate of *usersrepo_test.armed never runs") || strings.Contains(err.Error(), "OnUpdate") {
		t.Errorf("got %v", err)
	}
	cfg.AllowMethods = []string{"BeforeCreate"}
	if _, err := usersrepo.New[*armed](cfg); err != nil {
		t.Error(err)
	}
}
