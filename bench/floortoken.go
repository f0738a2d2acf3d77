package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// keys reads the key that Roster signs with, the first of its key set, and makes one to sign with.
func (f *floor) keys(jwks string) error {
	var set struct{ Keys []struct{ KID, X, Y string } }
	if err := json.Unmarshal([]byte(jwks), &set); err != nil || len(set.Keys) == 0 {
		return fmt.Errorf("want a key: %s", jwks)
	}
	f.kid = set.Keys[0].KID
	point := []byte{4} // uncompressed
	for _, text := range []string{set.Keys[0].X, set.Keys[0].Y} {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		point = append(point, b...)
	}
	var err error
	if f.verify, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
		return err
	}
	f.sign, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return err
}

// user returns whose token a request has.
func (f *floor) user(c echo.Context) (string, error) {
	token, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", echo.ErrUnauthorized
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return f.verify, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(baseURL), jwt.WithAudience(baseURL), jwt.WithExpirationRequired())
	if err != nil {
		return "", echo.ErrUnauthorized
	}
	return claims.Subject, nil
}

const rotateSession = `
UPDATE roster_sessions s SET generation = generation + 1, previous_hash = secret_hash, secret_hash = $3, successor = $4,
	rotated_at = $5, last_used_at = $5, idle_at = $6, ip = $7, user_agent = $8
FROM users u
WHERE s.id = $1 AND s.secret_hash = $2 AND s.ended_at IS NULL AND s.idle_at > $5 AND u.id = s.user_id
RETURNING s.user_id, s.auth_time, u.permissions, u.superuser, u.epoch, s.global_epoch`

// claims are those of Roster's tokens.
type claims struct {
	jwt.RegisteredClaims
	Session     string          `json:"sid"`
	Epoch       [2]int64        `json:"epoch"`
	AuthTime    int64           `json:"auth_time"`
	AMR         []string        `json:"amr"`
	Permissions json.RawMessage `json:"permissions"`
	Superuser   bool            `json:"superuser,omitempty"`
}

// rotate spends a refresh token: one statement, one signature.
func (f *floor) rotate(c echo.Context) error {
	var body struct {
		Token string `json:"refresh_token"`
	}
	if err := json.NewDecoder(c.Request().Body).Decode(&body); err != nil {
		return echo.ErrBadRequest
	}
	old, err := parseFloorToken(body.Token)
	if err != nil {
		return err
	}
	next := old
	next.generation++
	_, _ = rand.Read(next.secret[:])
	now := time.Now()
	idle := now.Add(14 * 24 * time.Hour)
	x := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: baseURL, Audience: jwt.ClaimStrings{baseURL}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		Session: old.session.String(), AMR: []string{"pwd"},
	}
	var authTime time.Time
	successor := make([]byte, 158) // as long as Roster's, which is sealed
	err = f.refresh.QueryRowContext(c.Request().Context(), old.session, old.hash(), next.hash(), successor, now, idle,
		"127.0.0.1", c.Request().UserAgent()).Scan(&x.Subject, &authTime, &x.Permissions, &x.Superuser, &x.Epoch[0], &x.Epoch[1])
	if errors.Is(err, sql.ErrNoRows) {
		return echo.ErrUnauthorized
	}
	if err != nil {
		return err
	}
	x.AuthTime = authTime.Unix()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, x)
	unsigned.Header["typ"], unsigned.Header["kid"] = "at+jwt", f.kid
	access, err := unsigned.SignedString(f.sign)
	if err != nil {
		return err
	}
	return send(c, http.StatusOK, struct {
		AccessToken      string `json:"access_token"`
		TokenType        string `json:"token_type"`
		ExpiresIn        int64  `json:"expires_in"`
		RefreshToken     string `json:"refresh_token"`
		RefreshExpiresIn int64  `json:"refresh_expires_in"`
		SessionID        string `json:"session_id"`
	}{access, "Bearer", 3600, next.String(), 14 * 24 * 3600, x.Session})
}

// floorToken is laid out like Roster's refresh tokens, with nothing where those have a tag.
type floorToken struct {
	session    uuid.UUID
	generation int64
	secret     [32]byte
}

const floorPrefix = "rt1.k1."

// newFloorToken is the first of a session.
func newFloorToken() floorToken {
	t := floorToken{session: uuid.New(), generation: 1}
	_, _ = rand.Read(t.secret[:])
	return t
}

func (t floorToken) hash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

func (t floorToken) String() string {
	b := append(t.session[:], make([]byte, 8+32+32)...)
	binary.BigEndian.PutUint64(b[16:], uint64(t.generation)) //nolint:gosec // it counts up from 1
	copy(b[24:], t.secret[:])
	return floorPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func parseFloorToken(text string) (t floorToken, err error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, floorPrefix))
	if err != nil || len(b) != 88 {
		return t, echo.ErrUnauthorized
	}
	copy(t.session[:], b)
	t.generation = int64(binary.BigEndian.Uint64(b[16:])) //nolint:gosec // String wrote it
	copy(t.secret[:], b[24:])
	return t, nil
}
