package roster

import "time"

// SigningKey is a key of access tokens: all that there is to know of it but its material.
type SigningKey struct {
	KID       string // names it in tokens
	Algorithm string // ES256, EdDSA, RS256 or HS256
	State     string // next, active, retired or revoked
	// CreatedAt is when it was made, ChangedAt when it entered its state; zero where a program that gives the keys itself
	// does not say.
	CreatedAt, ChangedAt time.Time
	// EndsAt is when a retired key verifies no more; nil for the others.
	EndsAt *time.Time
}
