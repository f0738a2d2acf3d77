package tokens

import (
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// ErrUnknownKey is the cause of an ErrInvalidToken whose kid is well-formed and not in the set: another process
// may have made it since, so that loading the keys again may help.
var ErrUnknownKey = errors.New("unknown key id")

// maxHeader bounds what is parsed before the signature is known to hold; ours have less than 160 characters.
const maxHeader = 512

// Verify returns the claims of an access token that was signed with any key of the set that is neither revoked nor past its
// end, for this issuer and audience, and that is live at the time now: before exp + leeway, its nbf and iat not beyond now + leeway. Numbers among the extra claims come as float64, as from encoding/json.
//
// A token with nothing wrong but its age is ErrTokenExpired. Everything else is ErrInvalidToken, whatever the
// bytes; its cause says why and is not for clients. Claims are not read before the signature holds.
func (v *Verifier) Verify(token string, now time.Time) (roster.Claims, error) {
	if v.verified == nil || len(token) > maxRemembered {
		claims, _, err := v.verify(token, now)
		return claims, err
	}
	end := max(strings.LastIndexByte(token, '.'), 0) // of what is signed
	hash, keys := hashOf(token[end:]), v.keys.Load()
	x := v.verified.get(token[:end], hash, keys, now)
	if x == nil {
		return v.verifyFirst(token, end, hash, keys, now)
	}
	if err := v.judge(&x.claims, now); err != nil {
		v.verified.drop(hash)
		return roster.Claims{}, err
	}
	return own(&x.claims), nil
}

// verifyFirst is Verify for a token that is not remembered. It stands by itself so that what it needs of the stack is not
// taken for those that are: a server has a stack for each connection, and a guard is at its very end.
func (v *Verifier) verifyFirst(token string, end int, hash [sha256.Size]byte, keys *Set, now time.Time) (roster.Claims, error) {
	claims, ends, err := v.verify(token, now)
	if err == nil {
		v.verified.put(hash, &seen{strings.Clone(token[:end]), keys, ends, own(&claims)}) // all headers of a request are one string
	}
	return claims, err
}

// maxRemembered is the longest token that is remembered, in bytes.
const maxRemembered = 2048

// hashOf is the SHA-256 of a signature, which takes a third of the time that the token would. It takes it piece by piece: as
// bytes all of it would be on the heap, or on the stack, which grows for so much in each connection of a server, and shrinks
// again.
func hashOf(signature string) (hash [sha256.Size]byte) {
	h := sha256.New()
	var piece [128]byte
	for signature != "" {
		n := copy(piece[:], signature)
		h.Write(piece[:n])
		signature = signature[n:]
	}
	h.Sum(hash[:0])
	return hash
}

// verify returns the end of the key as well.
func (v *Verifier) verify(token string, now time.Time) (claims roster.Claims, ends time.Time, err error) {
	claims, ends, err = v.read(token, now)
	if err == nil {
		err = v.judge(&claims, now)
	}
	if err != nil {
		return roster.Claims{}, ends, err
	}
	return claims, ends, nil
}

// VerifyExpired is Verify for those who do not mind that the token is past its end, such as a log-out.
func (v *Verifier) VerifyExpired(token string, now time.Time) (roster.Claims, error) {
	claims, _, err := v.read(token, now)
	if err == nil {
		err = v.judge(&claims, now)
	}
	if err != nil && !errors.Is(err, roster.ErrTokenExpired) {
		return roster.Claims{}, err
	}
	return claims, nil
}

// read returns the claims of a token whose signature holds, and when its key ends.
func (v *Verifier) read(token string, now time.Time) (claims roster.Claims, ends time.Time, err error) {
	if len(token) > MaxToken {
		return claims, ends, refuse("longer than allowed")
	}
	head, rest, _ := strings.Cut(token, ".")
	body, sig, ok := strings.Cut(rest, ".")
	if !ok || strings.IndexByte(sig, '.') >= 0 {
		return claims, ends, refuse("not three parts")
	}
	key, err := v.keys.Load().find(head, now)
	if err != nil {
		return claims, ends, err
	}
	signature, ok := decode(sig)
	if !ok || key.method.Verify(token[:len(head)+1+len(body)], signature, key.material().public) != nil {
		return claims, ends, refuse("wrong signature")
	}
	text, ok := decode(body)
	if !ok {
		return claims, ends, refuse("claims are not base64url")
	}
	if claims, err = parseClaims(text); err != nil {
		return roster.Claims{}, ends, refuse(err.Error())
	}
	return claims, key.ends, nil
}

// judge compares claims with the configuration and the clock; expiry comes last, so that it is told only of
// tokens that were good.
func (v *Verifier) judge(c *roster.Claims, now time.Time) error {
	latest := now.Add(v.config.Leeway)
	switch {
	case c.Issuer != v.config.Issuer:
		return refuse("of another issuer")
	case c.Audience != v.config.Audience:
		return refuse("for another audience")
	case c.NotBefore.After(latest) || c.IssuedAt.After(latest):
		return refuse("from the future")
	case !now.Before(c.ExpiresAt.Add(v.config.Leeway)):
		return roster.ErrTokenExpired
	}
	return nil
}

// find returns the key that the header names, if the header is as Sign writes it: alg, kid and typ, and nothing
// else, which leaves no place for jku, x5u, jwk, x5c, crit and b64 (RFC 8725, sections 3.1, 3.10, 3.11).
func (s *Set) find(encoded string, now time.Time) (verifier, error) {
	if len(encoded) > maxHeader {
		return verifier{}, refuse("header is longer than any of ours")
	}
	text, ok := decode(encoded)
	if !ok {
		return verifier{}, refuse("header is not base64url")
	}
	var alg, kid, typed string
	err := members(text, func(name, value string) error {
		content, ok := unquote(value)
		switch name {
		case "alg":
			alg = content
		case "kid":
			kid = content
		case "typ":
			typed = content
		default:
			ok = false
		}
		if !ok {
			return errors.New("other members than alg, kid and typ")
		}
		return nil
	})
	switch {
	case err != nil:
		return verifier{}, refuse("header: " + err.Error())
	case typed != typ:
		return verifier{}, refuse("of another typ")
	case !validID(kid, maxKeyID):
		return verifier{}, refuse("malformed key id")
	}
	key, ok := s.byID[kid]
	switch {
	case !ok:
		return verifier{}, roster.ErrInvalidToken.WithCause(ErrUnknownKey)
	case key.material == nil:
		return verifier{}, refuse("revoked key")
	case key.ended(now):
		return verifier{}, refuse("key past its end")
	case key.method.Alg() != alg:
		return verifier{}, refuse("not the algorithm of its key")
	}
	return key, nil
}

func refuse(reason string) error { return roster.ErrInvalidToken.WithCause(errors.New(reason)) }

// decode is strict: encoding/base64 alone would skip line breaks.
func decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64url.DecodeString(text)
	return b, err == nil
}
