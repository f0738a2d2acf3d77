package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/verifier"
)

// A service lets those in who have a live access token, by the keys that Roster serves.
func Example() {
	issuer := newIssuer()
	id := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(issuer.Keys().JWKS(time.Now()))
	}))
	defer id.Close()

	v, err := verifier.New(verifier.Config{
		JWKS: id.URL + "/.well-known/jwks.json", Issuer: "https://id.example.com", Audience: "https://id.example.com",
	})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = v.Run(ctx) }() // keeps the keys current

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := v.VerifyToken(r.Context(), roster.Secret(token))
		switch {
		case errors.Is(err, roster.ErrUnavailable):
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = fmt.Fprint(w, claims.Permissions)
		}
	})

	for _, token := range []string{sign(issuer), "forged"} {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 [orders:read]
	// 401
}

func newIssuer() *tokens.Issuer {
	key, err := tokens.Generate(tokens.ES256, time.Now())
	if err != nil {
		panic(err)
	}
	key.State = tokens.Active
	keys, err := tokens.NewSet(key)
	if err != nil {
		panic(err)
	}
	issuer, err := tokens.NewIssuer(tokens.Config{Issuer: "https://id.example.com", Audience: "https://id.example.com"}, keys)
	if err != nil {
		panic(err)
	}
	return issuer
}

func sign(issuer *tokens.Issuer) string {
	now := time.Now()
	token, err := issuer.Sign(roster.Claims{
		Subject: uuid.New(), SessionID: uuid.New(), AuthTime: now, IssuedAt: now, NotBefore: now, ExpiresAt: now.Add(10 * time.Minute),
		AMR: []string{"pwd"}, Permissions: roster.Permissions{"orders:read"},
	})
	if err != nil {
		panic(err)
	}
	return token.Reveal()
}
