package main

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

func TestPostgresRedis(t *testing.T) {
	db := rostertest.Open(t, rostertest.PostgreSQL)
	migrator, err := store.NewMigrator(db, store.PostgreSQL, store.Config{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: rostertest.Server(t, "ROSTER_TEST_REDIS")})
	t.Cleanup(func() { _ = client.Close() })
	key, err := secrets.Generate("k1")
	if err != nil {
		t.Fatal(err)
	}
	mailbox := &notify.Memory{}
	e, members, err := newServer(db, cache.NewRedis(client, cache.RedisConfig{Prefix: rand.Text() + ":"}), settings{
		baseURL: "https://wallets.example", secrets: key.Reveal(), proxy: "10.0.0.0/8", mail: mailbox, logger: rostertest.Logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer server.Close()

	token := rostertest.Call(t, http.MethodPost, server.URL+"/api/register", "",
		`{"email":"ann@example.com","password":"correct horse battery","team":"blue"}`).AccessToken(t)
	if got := rostertest.Call(t, http.MethodGet, server.URL+"/wallet", token, ""); got.Body != "{\"cents\":500}\n" {
		t.Errorf("wallet of the new member: %+v", got)
	}
	if _, err := members.Deliver(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	mail, ok := mailbox.Last("ann@example.com")
	if !ok {
		t.Fatal("no mail to the new member")
	}
	got := rostertest.Call(t, http.MethodPost, server.URL+"/api/confirm/email", "", `{"token":"`+mail.Token.Reveal()+`"}`)
	if got.Status != http.StatusOK {
		t.Errorf("confirm the address: %+v", got)
	}
}
