package tokens_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// An issuer signs with the active key of its set, and verifies what it signed until it expires.
func ExampleIssuer() {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	key, err := tokens.Generate(tokens.ES256, at)
	if err != nil {
		panic(err)
	}
	key.State = tokens.Active
	keys, err := tokens.NewSet(key)
	if err != nil {
		panic(err)
	}
	issuer, err := tokens.NewIssuer(tokens.Config{Issuer: "https://id.example.com", Audience: "example"}, keys)
	if err != nil {
		panic(err)
	}
	token, err := issuer.Sign(roster.Claims{
		Subject: uuid.New(), SessionID: uuid.New(), AMR: []string{"pwd"}, AuthTime: at,
		IssuedAt: at, NotBefore: at, ExpiresAt: at.Add(10 * time.Minute),
	})
	if err != nil {
		panic(err)
	}
	claims, err := issuer.Verify(token.Reveal(), at.Add(time.Minute))
	fmt.Println(claims.AMR, err)
	_, err = issuer.Verify(token.Reveal(), at.Add(time.Hour))
	fmt.Println(token, errors.Is(err, roster.ErrTokenExpired))
	// Output:
	// [pwd] <nil>
	// [redacted] true
}
