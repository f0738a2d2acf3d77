package integration_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// withProfiles gives a repo a profile for superusers, one for two clients, and one that is only chosen.
func withProfiles(cfg *usersrepo.Config) {
	cfg.Session.Profiles = map[string]mixins.SessionProfile{
		"superusers": {Superusers: true, AccessTTL: 2 * time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 8 * time.Hour, FreshFor: 5 * time.Minute},
		"kiosk":      {Clients: []string{"kiosk", "desk"}, AccessTTL: 5 * time.Minute, RefreshIdle: 20 * time.Minute},
		"day":        {RefreshAbsolute: 24 * time.Hour},
	}
}

// lives are those of a new session: of the access token, without use, and in any case.
type lives struct{ Access, Idle, Absolute time.Duration }

// livesOf reads the lives of a session that has just begun, the last one from the database.
func (w *world) livesOf(t testing.TB, pair roster.TokenPair) lives {
	t.Helper()
	var began, idle, end time.Time
	row := w.DB.QueryRowContext(t.Context(), "SELECT created_at, idle_at, expires_at FROM roster_sessions WHERE id = $1", pair.SessionID)
	if err := row.Scan(&began, &idle, &end); err != nil {
		t.Fatal(err)
	}
	claims := must(w.VerifyToken(t.Context(), pair.AccessToken))(t)
	same(t, pair.ExpiresIn, claims.ExpiresAt.Sub(claims.IssuedAt))
	same(t, pair.RefreshExpiresIn, idle.Sub(w.Clock.Now()))
	return lives{pair.ExpiresIn, pair.RefreshExpiresIn, end.Sub(began)}
}

const hour = time.Hour

// SESS-80, SESS-81: which profiles a log-in has, and what they make of its session.
func TestProfiles(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ann := w.add(t, person("annie", "", ""), roster.WithPassword(secret))
		root := w.add(t, person("roots", "", ""), roster.WithPassword(secret), roster.WithSuperuser(true))
		all := lives{10 * time.Minute, 14 * day, 90 * day}
		for name, tt := range map[string]struct {
			user     *Person
			options  roster.IssueOptions
			want     lives
			profiles []string
		}{
			"SESS-80 leaves others as they are":               {ann, roster.IssueOptions{}, all, nil},
			"SESS-80 knows no client by a part of its name":   {ann, roster.IssueOptions{Client: "kios"}, all, nil},
			"SESS-80 takes no profile's name for a client's":  {ann, roster.IssueOptions{Client: "superusers"}, all, nil},
			"SESS-80 takes superusers":                        {root, roster.IssueOptions{}, lives{2 * time.Minute, hour, 8 * hour}, []string{"superusers"}},
			"SESS-80 takes a client":                          {ann, roster.IssueOptions{Client: "desk"}, lives{5 * time.Minute, 20 * time.Minute, 90 * day}, []string{"kiosk"}},
			"SESS-80 takes what Go code names":                {ann, roster.IssueOptions{Profile: "day"}, lives{10 * time.Minute, day, day}, []string{"day"}},
			"SESS-81 has the shortest of each":                {root, roster.IssueOptions{Client: "kiosk", Profile: "day"}, lives{2 * time.Minute, 20 * time.Minute, 8 * hour}, []string{"day", "kiosk", "superusers"}},
			"SESS-81 names one once":                          {ann, roster.IssueOptions{Client: "kiosk", Profile: "kiosk"}, lives{5 * time.Minute, 20 * time.Minute, 90 * day}, []string{"kiosk"}},
			"SESS-81 is not longer for who is not remembered": {ann, roster.IssueOptions{Profile: "day", Remember: new(bool)}, lives{10 * time.Minute, 12 * hour, day}, []string{"day"}},
			"SESS-81 is shorter for them too":                 {root, roster.IssueOptions{Remember: new(bool)}, lives{2 * time.Minute, hour, 8 * hour}, []string{"superusers"}},
		} {
			t.Run(name, func(t *testing.T) {
				pair, err := w.IssueTokens(ctx, tt.user.ID, tt.options)
				if err != nil {
					t.Fatal(err)
				}
				same(t, tt.want, w.livesOf(t, pair))
				for _, x := range must(w.ListSessions(ctx, tt.user.ID))(t) {
					if x.ID == pair.SessionID {
						same(t, tt.profiles, x.Profiles)
						same(t, w.Clock.Now().Add(min(tt.want.Idle, tt.want.Absolute)), x.ExpiresAt)
					}
				}
			})
		}
		t.Run("SESS-80 refuses a profile that there is not, and makes no session", func(t *testing.T) {
			before := w.rows(t, "roster_sessions")
			_, err := w.IssueTokens(ctx, ann.ID, roster.IssueOptions{Profile: "kiosks"})
			refused(t, err, roster.ErrValidationFailed, "profile:invalid")
			same(t, before, w.rows(t, "roster_sessions"))
		})
		t.Run("SESS-80 takes every way in", func(t *testing.T) {
			want := lives{5 * time.Minute, 20 * time.Minute, 90 * day}
			credentials := roster.PasswordCredentials("annie", secret)
			credentials.Client = "kiosk"
			same(t, want, w.livesOf(t, *must(w.Login(ctx, credentials))(t).Tokens))
			_, pair, err := w.Register(ctx, person("newbie", "", ""), secret, roster.WithClient("kiosk"))
			same(t, nil, err)
			same(t, want, w.livesOf(t, *pair))
		})
		t.Run("SESS-80 says so in the audit trail", func(t *testing.T) {
			must(w.IssueTokens(ctx, root.ID, roster.IssueOptions{Client: "kiosk"}))(t)
			e := must(w.ListAudit(ctx, roster.AuditQuery{Action: "login.ok"}))(t).Items[0]
			same(t, `{"amr":["app"],"profiles":["kiosk","superusers"],"via":"app"}`, string(e.Changes))
		})
	}, withProfiles)
}

// SESS-82: a session keeps to its lives, whatever is done with it.
func TestProfileIsKept(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		root := w.add(t, person("roots", "", ""), roster.WithPassword(secret), roster.WithSuperuser(true))
		t.Run("SESS-82 refreshing does not widen it", func(t *testing.T) {
			pair := w.issue(t, root.ID)
			end := w.Clock.Now().Add(8 * hour)
			for left := 8 * hour; left > 50*time.Minute; left -= 50 * time.Minute {
				same(t, lives{2 * time.Minute, min(hour, left), 8 * hour}, w.livesOf(t, pair))
				w.Clock.Advance(50 * time.Minute)
				pair = must(w.Refresh(ctx, pair.RefreshToken))(t)
			}
			w.Clock.Advance(end.Add(-time.Second).Sub(w.Clock.Now()))
			pair = must(w.Refresh(ctx, pair.RefreshToken))(t)
			same(t, []time.Duration{time.Second, time.Second}, []time.Duration{pair.ExpiresIn, pair.RefreshExpiresIn})
			w.Clock.Advance(time.Second)
			_, err := w.Refresh(ctx, pair.RefreshToken)
			refused(t, err, roster.ErrSessionExpired)
		})
		t.Run("SESS-82 ends without use", func(t *testing.T) {
			pair := w.issue(t, root.ID)
			w.Clock.Advance(hour - time.Second)
			pair = must(w.Refresh(ctx, pair.RefreshToken))(t)
			w.Clock.Advance(hour)
			_, err := w.Refresh(ctx, pair.RefreshToken)
			refused(t, err, roster.ErrSessionExpired)
		})
		t.Run("SESS-82 the grace gives an access token as short", func(t *testing.T) {
			pair := w.issue(t, root.ID)
			next := must(w.Refresh(ctx, pair.RefreshToken))(t)
			again := must(w.Refresh(ctx, pair.RefreshToken))(t)
			same(t, next.RefreshToken, again.RefreshToken)
			same(t, lives{2 * time.Minute, hour, 8 * hour}, w.livesOf(t, again))
		})
		t.Run("SESS-82 a change of password gives tokens as short", func(t *testing.T) {
			pair := w.issue(t, root.ID)
			w.Clock.Advance(time.Minute)
			next, err := w.ChangePassword(w.within(t, pair), root.ID, secret, "another long passphrase")
			same(t, nil, err)
			same(t, lives{2 * time.Minute, hour, 8 * hour}, w.livesOf(t, next))
		})
		t.Run("SESS-82 is as fresh as its profile says, and steps up for as long", func(t *testing.T) {
			boss := w.proven(t, person("bossy", "boss@example.com", ""))
			must(w.SetSuperuser(ctx, boss.ID, true))(t)
			mine := w.within(t, w.issue(t, boss.ID))
			w.Clock.Advance(5 * time.Minute)
			same(t, nil, w.CheckFresh(mine))
			w.Clock.Advance(time.Microsecond)
			refused(t, w.CheckFresh(mine), roster.ErrReauthentication)
			same(t, nil, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp))
			outcome := must(w.CheckCode(mine, roster.ContactRef{}, roster.CodeStepUp, w.code(t, "boss@example.com")))(t)
			same(t, w.Clock.Now().Add(5*time.Minute), outcome.FreshUntil)
			w.Clock.Advance(5 * time.Minute)
			same(t, nil, w.CheckFresh(mine))
			w.Clock.Advance(time.Microsecond)
			refused(t, w.CheckFresh(mine), roster.ErrReauthentication)
		})
		t.Run("SESS-82 is that of the log-in, whatever the user becomes", func(t *testing.T) {
			carl := w.add(t, person("carlo", "", ""))
			before := w.issue(t, carl.ID)
			must(w.SetSuperuser(ctx, carl.ID, true))(t)
			since := w.issue(t, carl.ID)
			must(w.SetSuperuser(ctx, carl.ID, false))(t)
			same(t, lives{10 * time.Minute, 14 * day, 90 * day}, w.livesOf(t, must(w.Refresh(ctx, before.RefreshToken))(t)))
			same(t, lives{2 * time.Minute, hour, 8 * hour}, w.livesOf(t, must(w.Refresh(ctx, since.RefreshToken))(t)))
		})
		t.Run("SESS-82 tabs that refresh at once get one successor, as short", func(t *testing.T) {
			pair := w.issue(t, root.ID)
			w.Clock.Advance(time.Minute)
			got := make([]roster.TokenPair, 16)
			same(t, map[roster.Code]int{"": 16}, atOnce(16, func(i int) (err error) {
				got[i], err = w.Refresh(ctx, pair.RefreshToken)
				return err
			}))
			for _, next := range got {
				same(t, got[0].RefreshToken, next.RefreshToken)
				same(t, lives{2 * time.Minute, hour, 8 * hour}, w.livesOf(t, next))
			}
		})
	}, withProfiles)
}

// SESS-82, SESS-24: sessions are not moved by what the settings become; those of all bound them from the next refresh on.
func TestProfileOfOldSettings(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		ctx := t.Context()
		cfg, kit := rostertest.Config(t, db)
		withProfiles(&cfg)
		started := func(change func(*usersrepo.Config)) *world {
			later := cfg
			change(&later)
			return &world{must(usersrepo.New[*Person](later))(t), kit, nil}
		}
		w := started(func(*usersrepo.Config) {})
		root := w.add(t, person("roots", "", ""), roster.WithSuperuser(true))
		for name, tt := range map[string]struct {
			change func(*mixins.SessionConfig)
			want   lives
			fresh  time.Duration
		}{
			"a longer profile": {func(s *mixins.SessionConfig) {
				s.Profiles = map[string]mixins.SessionProfile{"superusers": {Superusers: true, RefreshAbsolute: 80 * day}}
			}, lives{2 * time.Minute, hour, 8 * hour}, 5 * time.Minute},
			"a shorter profile": {func(s *mixins.SessionConfig) {
				s.Profiles = map[string]mixins.SessionProfile{"superusers": {Superusers: true, AccessTTL: time.Minute, RefreshIdle: 2 * time.Minute}}
			}, lives{2 * time.Minute, hour, 8 * hour}, 5 * time.Minute},
			"no profile": {func(s *mixins.SessionConfig) { s.Profiles = nil }, lives{2 * time.Minute, hour, 8 * hour}, 5 * time.Minute},
			"longer lives of all": {func(s *mixins.SessionConfig) {
				s.Profiles, s.AccessTTL, s.RefreshIdle, s.RefreshAbsolute, s.FreshFor = nil, hour, 100*day, 300*day, 10*hour
			}, lives{2 * time.Minute, hour, 8 * hour}, 5 * time.Minute},
			"shorter lives of all": {func(s *mixins.SessionConfig) {
				s.Profiles, s.AccessTTL, s.RefreshIdle, s.FreshFor = nil, time.Minute, 30*time.Minute, 3*time.Minute
			}, lives{time.Minute, 30 * time.Minute, 8 * hour}, 3 * time.Minute},
		} {
			t.Run("SESS-82 "+name, func(t *testing.T) {
				pair := w.issue(t, root.ID)
				later := started(func(cfg *usersrepo.Config) { tt.change(&cfg.Session) })
				next := must(later.Refresh(ctx, pair.RefreshToken))(t)
				same(t, tt.want, later.livesOf(t, next))
				mine := later.within(t, next)
				kit.Clock.Advance(tt.fresh)
				same(t, nil, later.CheckFresh(mine))
				kit.Clock.Advance(time.Microsecond)
				refused(t, later.CheckFresh(mine), roster.ErrReauthentication)
			})
		}
	})
}

// SESS-83: a program chooses by itself.
func TestChooseProfile(t *testing.T) {
	var choose func(ctx context.Context, p *Person, options roster.IssueOptions) (string, error)
	for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
		w := found(t, rostertest.Open(t, kind), withProfiles, func(cfg *usersrepo.Config) {
			cfg.Session.ChooseProfile = func(ctx context.Context, user roster.Model, options roster.IssueOptions) (string, error) {
				return choose(ctx, user.(*Person), options)
			}
		})
		t.Run("SESS-83 "+string(kind), func(t *testing.T) {
			ctx := t.Context()
			ann := w.add(t, person("annie", "", ""), roster.WithPassword(secret))
			t.Run("by the user, the address and the way in", func(t *testing.T) {
				var seen roster.IssueOptions
				choose = func(ctx context.Context, p *Person, options roster.IssueOptions) (string, error) {
					seen = options
					if p.Company == "Acme" && roster.ActorFrom(ctx).IP == "192.0.2.1" {
						return "day", nil
					}
					return "", nil
				}
				same(t, lives{10 * time.Minute, 14 * day, 90 * day}, w.livesOf(t, w.issue(t, ann.ID)))
				must(w.Update(ctx, ann.ID, func(p *Person) error { p.Company = "Acme"; return nil }))(t)
				credentials := roster.PasswordCredentials("annie", secret)
				credentials.Client = "any"
				login := must(w.Login(from(ctx, "192.0.2.1"), credentials))(t)
				same(t, lives{10 * time.Minute, day, day}, w.livesOf(t, *login.Tokens))
				same(t, []any{roster.ViaPassword, "any"}, []any{seen.Via, seen.Client})
			})
			t.Run("beside those that the log-in has anyway", func(t *testing.T) {
				choose = func(context.Context, *Person, roster.IssueOptions) (string, error) { return "day", nil }
				pair := must(w.IssueTokens(ctx, ann.ID, roster.IssueOptions{Client: "kiosk"}))(t)
				same(t, lives{5 * time.Minute, 20 * time.Minute, day}, w.livesOf(t, pair))
			})
			t.Run("and changes nothing of the user", func(t *testing.T) {
				choose = func(_ context.Context, p *Person, _ roster.IssueOptions) (string, error) {
					p.Superuser, p.Company = true, "changed"
					return "", nil
				}
				login := must(w.Login(ctx, roster.PasswordCredentials("annie", secret)))(t)
				same(t, []any{false, "Acme"}, []any{login.User.Superuser, login.User.Company})
				same(t, false, must(w.VerifyToken(ctx, login.Tokens.AccessToken))(t).Superuser)
			})
			t.Run("what fails lets nobody in, and leaves no session", func(t *testing.T) {
				down := errors.New("the directory is down")
				for want, answer := range map[error]string{down: "", roster.ErrInternal: "nowhere", roster.ErrForbidden: "day"} {
					choose = func(context.Context, *Person, roster.IssueOptions) (string, error) {
						if errors.Is(want, roster.ErrInternal) {
							return answer, nil
						}
						return answer, want
					}
					before := w.rows(t, "roster_sessions")
					_, err := w.Login(ctx, roster.PasswordCredentials("annie", secret))
					if !errors.Is(err, want) || errors.Is(want, roster.ErrInternal) && !strings.Contains(errors.Unwrap(err).Error(), `"nowhere"`) {
						t.Error(err)
					}
					same(t, before, w.rows(t, "roster_sessions"))
				}
			})
			t.Run("a registration stands without it", func(t *testing.T) {
				choose = func(context.Context, *Person, roster.IssueOptions) (string, error) { return "", errors.New("down") }
				if _, _, err := w.Register(ctx, person("newbie", "", ""), secret); err == nil {
					t.Error("there is a session")
				}
				must(w.GetByUsername(ctx, "newbie"))(t)
			})
		})
	}
}

// SESS-80, SESS-82, HTTP-101, HTTP-102, HTTP-133: over HTTP a client names itself.
func TestHTTPProfiles(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.guest(t, "anna")
		s.guest(t, "roots", roster.WithSuperuser(true))
		seconds := func(t *testing.T, r reply, at string) []any {
			t.Helper()
			return []any{r.member(t, at+"expires_in"), r.member(t, at+"refresh_expires_in")}
		}
		all, kiosk := []any{600.0, 14 * 86400.0}, []any{300.0, 1200.0}
		login := func(t *testing.T, name string, more fields) reply {
			t.Helper()
			body := fields{"login": name, "password": passphrase}
			maps.Copy(body, more)
			return s.do(t, "POST /api/login", body)
		}
		t.Run("SESS-80 HTTP-102 by what it calls itself", func(t *testing.T) {
			same(t, kiosk, seconds(t, login(t, "anna", fields{"client_name": "kiosk"}).succeeds(t, 200), "tokens."))
			for _, name := range []any{nil, "", "kios", "superusers", "ÿ\u202e", strings.Repeat("kiosk", 100)} {
				same(t, all, seconds(t, login(t, "anna", fields{"client_name": name}).succeeds(t, 200), "tokens."))
			}
			for _, name := range []any{7, true, []string{"kiosk"}, fields{}} {
				login(t, "anna", fields{"client_name": name}).fails(t, 422, "validation_failed", "client_name:wrong_type")
			}
		})
		t.Run("SESS-80 no name lets superusers have more", func(t *testing.T) {
			for _, more := range []fields{{}, {"client_name": "kios"}, {"client_name": "", "remember": true}} {
				same(t, []any{120.0, 3600.0}, seconds(t, login(t, "roots", more).succeeds(t, 200), "tokens."))
			}
		})
		t.Run("SESS-82 refreshing keeps to it", func(t *testing.T) {
			token := login(t, "anna", fields{"client_name": "desk"}).succeeds(t, 200).text(t, "tokens.refresh_token")
			for range 3 {
				s.Clock.Advance(19 * time.Minute)
				r := s.do(t, "POST /api/token/refresh", fields{"refresh_token": token}).succeeds(t, 200)
				same(t, kiosk, seconds(t, r, ""))
				token = r.text(t, "refresh_token")
			}
			s.Clock.Advance(20 * time.Minute)
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": token}).fails(t, 401, "session_expired")
		})
		t.Run("SESS-82 HTTP-52 a log-in is fresh for as long as its profile says", func(t *testing.T) {
			for name, status := range map[string]int{"roots": 403, "anna": 200} {
				token := login(t, name, nil).succeeds(t, 200).text(t, "tokens.refresh_token")
				s.Clock.Advance(6 * time.Minute)
				token = s.do(t, "POST /api/token/refresh", fields{"refresh_token": token}).succeeds(t, 200).text(t, "access_token")
				r := s.do(t, "GET /api/me/export", nil, as(roster.Secret(token)))
				if r.status != status || status == 403 && r.text(t, "code") != "reauthentication_required" {
					t.Errorf("%s: %s", name, r)
				}
			}
		})
		t.Run("SESS-80 HTTP-101 when somebody registers", func(t *testing.T) {
			r := s.do(t, "POST /api/register", fields{"username": "newbie", "password": passphrase, "client_name": "kiosk"}).succeeds(t, 201)
			same(t, kiosk, seconds(t, r, "tokens."))
			s.do(t, "POST /api/register", fields{"username": "other1", "password": passphrase, "client_name": 7}).fails(t, 422, "validation_failed", "client_name:wrong_type")
		})
		t.Run("SESS-80 HTTP-133 when somebody logs in by a code", func(t *testing.T) {
			s.do(t, "POST /api/codes/send", fields{"login": "anna@example.com", "purpose": "login"}).succeeds(t, 202)
			body := fields{"login": "anna@example.com", "purpose": "login", "code": s.code(t, "anna@example.com").Reveal(), "client_name": "kiosk"}
			same(t, kiosk, seconds(t, s.do(t, "POST /api/codes/check", body).succeeds(t, 200), "tokens."))
			body["purpose"] = "verify"
			s.do(t, "POST /api/codes/check", body).fails(t, 422, "validation_failed", "client_name:unknown_field")
		})
	}, withProfiles)
}

// SESS-82, SESS-17: profiles take no statement more, for refreshing one, for verifying none.
func TestProfileStatements(t *testing.T) {
	t.Parallel()
	w, y := tallied(t, withProfiles)
	root := w.add(t, person("roots", "", ""), roster.WithSuperuser(true))
	pair := w.issue(t, root.ID)
	for range 3 { // the first runs prepare
		y.taken()
		pair = must(w.Refresh(t.Context(), pair.RefreshToken))(t)
	}
	if texts := y.taken(); len(texts) != 1 || !strings.Contains(texts[0], "UPDATE") {
		t.Errorf("%d statements: %q", len(texts), texts)
	}
	must(w.VerifyToken(t.Context(), pair.AccessToken))(t)
	same(t, []string(nil), y.taken())
}

// SESS-82, SESS-70: cookies live no longer than what they hold.
func TestProfileCookies(t *testing.T) {
	onBrowsers(t, routes.TransportCookie, func(t *testing.T, s *site) {
		s.guest(t, "roots", roster.WithSuperuser(true))
		b := s.browser(t)
		a := b.do(t, "POST /api/login", fields{"login": "roots", "password": passphrase}).succeeds(t, 200)
		for range 2 {
			if lines := strings.Join(a.header.Values("Set-Cookie"), "\n"); !strings.Contains(lines, "; Max-Age=120;") || !strings.Contains(lines, "; Max-Age=3600;") {
				t.Error(lines)
			}
			s.Clock.Advance(time.Minute) // the jar goes by another clock
			a = b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)
		}
	}, withProfiles)
}
