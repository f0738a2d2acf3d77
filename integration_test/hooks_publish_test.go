package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// silent is a cache that publishes nothing, by an error.
type silent struct{ cache.Cache }

func (silent) Publish(context.Context, string, []byte) error { return cache.ErrUnavailable }

// HOOK-69
func TestHOOK_69_Publish(t *testing.T) {
	t.Parallel()
	const channel = "users"
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		feed := cache.NewMemory(cache.MemoryConfig{Now: time.Now})
		events, err := feed.Subscribe(t.Context(), channel)
		if err != nil {
			t.Fatal(err)
		}
		published := func() []string {
			t.Helper()
			var list []string
			for {
				select {
				case e := <-events:
					list = append(list, string(e.Message))
				default:
					return list
				}
			}
		}
		cfg, kit := rostertest.Config(t, db)
		cfg.Cache, cfg.Callbacks.Publish = feed, channel
		repo, err := usersrepo.New[*Person](cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := func(event, id, kind string) string {
			t.Helper()
			at, _ := kit.Clock.Now().MarshalJSON()
			return `{"event":"` + event + `","user_id":` + id + `,"at":` + string(at) + `,"actor_kind":"` + kind + `"}`
		}

		t.Run("tells each event of whom, when and by what kind of actor", func(t *testing.T) {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorCLI})
			ann := must(repo.Create(ctx, person("annie", "ann@example.com", ""), roster.WithConfirmation()))(t)
			pair := must(repo.IssueTokens(ctx, ann.ID, roster.IssueOptions{}))(t)
			if err := repo.RevokeSession(ctx, ann.ID, pair.SessionID); err != nil {
				t.Fatal(err)
			}
			if _, err := repo.Login(t.Context(), roster.PasswordCredentials("nobody", "x")); !errors.Is(err, roster.ErrInvalidCredentials) {
				t.Fatal(err)
			}
			id := `"` + ann.ID.String() + `"`
			got := published()
			same(t, []string{
				want("Create", id, "cli"), want("Message", id, "cli"), want("Login", id, "cli"), want("SessionRevoke", id, "cli"),
				want("LoginFailed", "null", "system"),
			}, got)
			for _, message := range got {
				var members map[string]any
				if err := json.Unmarshal([]byte(message), &members); err != nil || len(members) != 4 {
					t.Errorf("%s: %v", message, err)
				}
			}
		})

		t.Run("tells nothing that is rolled back", func(t *testing.T) {
			remove := repo.On.Create.After(rejecting[callbacks.Create[*Person]]("no_jobs"))
			_, err := repo.Create(t.Context(), person("bobby", "", ""))
			wantCode(t, err, "no_jobs")
			remove()
			_ = repo.InTx(t.Context(), func(ctx context.Context) error {
				must(repo.Create(ctx, person("bobby", "", "")))(t)
				same(t, []string(nil), published())
				return errors.New("stop")
			})
			same(t, []string(nil), published())
		})

		t.Run("changes no result when it fails", func(t *testing.T) {
			cfg.Cache = silent{feed}
			var log strings.Builder
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			repo, err := usersrepo.New[*Person](cfg)
			if err != nil {
				t.Fatal(err)
			}
			must(repo.Create(t.Context(), person("cathy", "", "")))(t)
			stats := repo.Stats()
			same(t, [2]int64{}, [2]int64{stats.HookErrors, stats.CacheErrors})
			if !strings.Contains(log.String(), "event was not published") {
				t.Errorf("the log does not tell:\n%s", log.String())
			}
		})

		t.Run("is off by default", func(t *testing.T) {
			cfg.Cache, cfg.Callbacks.Publish = feed, ""
			repo, err := usersrepo.New[*Person](cfg)
			if err != nil {
				t.Fatal(err)
			}
			must(repo.Create(t.Context(), person("danny", "", "")))(t)
			same(t, []string(nil), published())
		})
	})
}
