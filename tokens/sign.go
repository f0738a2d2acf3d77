package tokens

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// typ tells access tokens from other JWTs (RFC 9068, section 2.1).
const typ = "at+jwt"

// MaxToken is the length of the longest access token, in bytes: Sign makes none longer, Verify reads none longer.
const MaxToken = 8192

// payload is the claims as they are written, in this order.
type payload struct {
	Issuer      string             `json:"iss"`
	Subject     roster.ID          `json:"sub"`
	Audience    string             `json:"aud"`
	ExpiresAt   int64              `json:"exp"`
	NotBefore   int64              `json:"nbf"`
	IssuedAt    int64              `json:"iat"`
	TokenID     roster.ID          `json:"jti"`
	SessionID   roster.ID          `json:"sid"`
	Epoch       [2]int64           `json:"epoch"` // the user's, and that of all users
	AuthTime    int64              `json:"auth_time"`
	AMR         []string           `json:"amr"`
	Permissions roster.Permissions `json:"permissions"`
	Superuser   bool               `json:"superuser,omitempty"`
}

// reserved are the names that extra claims must not have: those of payload, and others with a meaning of their own.
func reserved(name string) bool {
	return slices.ContainsFunc([]string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "epoch", "auth_time", "amr", "permissions", "superuser",
		"act", "scope", "gen", "csrf",
	}, func(r string) bool {
		return strings.EqualFold(r, name) // encoding/json and others match names in any case
	})
}

// Sign returns an access token of claims, signed with the active key. Issuer and audience are those of the Issuer,
// whatever the claims say; a zero TokenID becomes a new one. Times are cut to whole seconds; all four, the subject
// and the session are required, and the expiry must lie after the issue. An extra claim with a reserved name or
// with doubled members, and a token of more than MaxToken bytes, are errors. All are of the code internal.
func (i *Issuer) Sign(claims roster.Claims) (roster.Secret, error) {
	token, err := i.sign(claims)
	if err != nil {
		return "", roster.ErrInternal.WithCause(fmt.Errorf("sign access token: %w", err))
	}
	return roster.Secret(token), nil
}

func (i *Issuer) sign(claims roster.Claims) (string, error) {
	if err := checkClaims(claims); err != nil {
		return "", err
	}
	if claims.TokenID == (roster.ID{}) {
		var err error
		if claims.TokenID, err = newTokenID(claims.IssuedAt); err != nil {
			return "", err
		}
	}
	body, err := json.Marshal(payload{
		Issuer: i.config.Issuer, Audience: i.config.Audience,
		Subject: claims.Subject, TokenID: claims.TokenID, SessionID: claims.SessionID,
		ExpiresAt: claims.ExpiresAt.Unix(), NotBefore: claims.NotBefore.Unix(), IssuedAt: claims.IssuedAt.Unix(),
		AuthTime: claims.AuthTime.Unix(), AMR: append([]string{}, claims.AMR...),
		Epoch:       [2]int64{claims.Epoch, claims.GlobalEpoch},
		Permissions: claims.Permissions, Superuser: claims.Superuser,
	})
	if err != nil {
		return "", err
	}
	if body, err = appendExtra(body, claims.Extra); err != nil {
		return "", err
	}
	key := i.keys.Load().active
	if key.material == nil {
		return "", errors.New("no key of the set can sign")
	}
	input := key.header + encode(body)
	signature, err := key.method.Sign(input, key.material().private)
	if err != nil {
		return "", err
	}
	token := input + "." + encode(signature)
	if len(token) > MaxToken {
		return "", fmt.Errorf("%d bytes: at most %d are allowed", len(token), MaxToken)
	}
	return token, nil
}

func checkClaims(c roster.Claims) error {
	for name, t := range map[string]time.Time{"exp": c.ExpiresAt, "nbf": c.NotBefore, "iat": c.IssuedAt, "auth_time": c.AuthTime} {
		if t.Unix() < 0 || t.Unix() > maxSeconds {
			return fmt.Errorf("claim %s is missing or out of range", name)
		}
	}
	switch {
	case c.ExpiresAt.Unix() <= c.IssuedAt.Unix():
		return errors.New("the token would have no life")
	case c.Subject == (roster.ID{}):
		return errors.New("claim sub is missing")
	case c.SessionID == (roster.ID{}):
		return errors.New("claim sid is missing")
	case c.Epoch < 0 || c.GlobalEpoch < 0:
		return errors.New("claim epoch is negative")
	}
	return nil
}

// appendExtra writes the extra claims behind the others, sorted, and holds them to what Verify reads.
func appendExtra(body []byte, extra map[string]any) ([]byte, error) {
	if len(extra) == 0 {
		return body, nil
	}
	for name := range extra {
		if reserved(name) {
			return nil, fmt.Errorf("extra claim %q is reserved", name)
		}
	}
	more, err := json.Marshal(extra)
	if err != nil {
		return nil, fmt.Errorf("extra claims: %w", err)
	}
	body = append(append(body[:len(body)-1], ','), more[1:]...)
	if err := members(body, nil); err != nil {
		return nil, fmt.Errorf("extra claims: %w", err)
	}
	return body, nil
}

// newTokenID makes a UUIDv7 (RFC 9562, section 5.7) of the time of issue: no other clock is read here.
func newTokenID(at time.Time) (roster.ID, error) {
	var id roster.ID
	if _, err := io.ReadFull(rand.Reader, id[6:]); err != nil {
		return roster.ID{}, err
	}
	ms := at.UnixMilli()
	binary.BigEndian.PutUint16(id[:], uint16(ms>>32)) //nolint:gosec // 48 bits last until the year 10889
	binary.BigEndian.PutUint32(id[2:], uint32(ms))    //nolint:gosec // the lower half
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}
