package mixins

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

const (
	longKey       = 16  // characters, from which on a key is found by itself
	maxOTPKey     = 256 // bytes
	maxOTPObject  = 255 // bytes
	maxOTPObjects = 16
	// maxCandidates bounds how many a short key is compared with, and a wrong key counts against: the newest.
	maxCandidates = 100
)

var slugForm = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// otpQuery asks for the live one-time passwords of a slug with all of these objects, each once and in order.
func (c *Core[U]) otpQuery(slug string, related []roster.OTPObject, faults *roster.FieldErrors) store.OTPQuery {
	if !slugForm.MatchString(slug) {
		faults.Add("slug", roster.Invalid)
	}
	var objects []roster.OTPObject
	valid := true
	for _, x := range related {
		ok := slugForm.MatchString(x.Kind) && x.ID != "" && len(x.ID) <= maxOTPObject && storable(x.ID)
		if x.Kind == roster.OTPUserKind {
			id, err := roster.ParseID(x.ID)
			ok, x.ID = err == nil, id.String()
		}
		valid = valid && ok
		objects = append(objects, x)
	}
	slices.SortFunc(objects, func(a, b roster.OTPObject) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
	objects = slices.Compact(objects)
	if !valid || len(objects) > maxOTPObjects {
		faults.Add("related", roster.Invalid)
	}
	return store.OTPQuery{Slug: slug, Objects: objects, Now: c.now()}
}

// judgeOTP returns the valid one-time passwords of a key, newest first. Where objects are given, it counts a failure before
// it looks at the key.
func (c *Core[U]) judgeOTP(ctx context.Context, q store.OTPQuery, typed roster.Secret) ([]store.OTP, error) {
	key, ok := tidyKey(typed)
	if !ok {
		return nil, nil
	}
	long := isLongKey(key)
	var found, right []store.OTP
	if long {
		var err error
		if found, err = c.Store.FindOTPs(ctx, c.byLongKey(q, key)); err != nil {
			return nil, err
		}
	}
	if len(q.Objects) == 0 {
		return found, nil
	}
	q.Limit = maxCandidates
	candidates, err := c.Store.FindOTPs(ctx, q)
	if err != nil || len(candidates) == 0 {
		return nil, err // nobody has to wait for what was not made
	}
	guess := store.Guess{Scope: tryScope(q), Entries: map[roster.ID]int{}, Keep: c.Settings.OneTime.MaxLife, Now: q.Now}
	for _, x := range candidates {
		guess.Entries[x.ID] = x.MaxAttempts
		guess.Keep = max(guess.Keep, x.ExpiresAt.Sub(q.Now))
	}
	_, wait, err := c.Store.Guess(ctx, guess, func(may []roster.ID) bool {
		right = nil
		if !long {
			found = candidates
		}
		for _, x := range found {
			_, counted := guess.Entries[x.ID]
			same := long || c.Secrets.VerifyMAC(secrets.OneTimeCode, x.Hash, otpMAC(q.Slug, x.Scope, key)...)
			if same && (!counted || slices.Contains(may, x.ID)) {
				right = append(right, x)
			}
		}
		return len(right) > 0
	})
	if err == nil && !wait.IsZero() {
		err = tooEarly(wait, q.Now)
	}
	if err != nil {
		return nil, err
	}
	return right, nil
}

// otpHashesOf are the hashes of what a key is of, without counting anything.
func (c *Core[U]) otpHashesOf(ctx context.Context, q store.OTPQuery, typed roster.Secret) ([][]byte, error) {
	key, ok := tidyKey(typed)
	if !ok {
		return nil, nil
	}
	if isLongKey(key) {
		return c.byLongKey(q, key).Hashes, nil
	}
	if len(q.Objects) == 0 {
		return nil, nil
	}
	candidates, err := c.Store.FindOTPs(ctx, q)
	var hashes [][]byte
	for _, x := range candidates {
		if c.Secrets.VerifyMAC(secrets.OneTimeCode, x.Hash, otpMAC(q.Slug, x.Scope, key)...) {
			hashes = append(hashes, x.Hash)
		}
	}
	return hashes, err
}

// byLongKey asks for what has a long key, under any secret.
func (c *Core[U]) byLongKey(q store.OTPQuery, key string) store.OTPQuery {
	q.Hashes = c.Secrets.MACs(secrets.OneTimeCode, otpMAC(q.Slug, nil, key)...)
	return q
}

// tidyKey is a key without white space around it; false when nothing or too much is left.
func tidyKey(typed roster.Secret) (key string, ok bool) {
	key = strings.TrimSpace(typed.Reveal())
	return key, key != "" && len(key) <= maxOTPKey
}

func isLongKey(key string) bool { return utf8.RuneCountInString(key) >= longKey }

// otpMAC is what the stored hash is a MAC of. A short key is bound to all that it is related to: the same may be out for
// somebody else, and the row of one means nothing for another.
func otpMAC(slug string, scope []byte, key string) [][]byte {
	return [][]byte{[]byte(slug), scope, []byte(key)}
}

// otpScope is a digest of objects, each part preceded by its length, so that no two lists are alike.
func otpScope(objects []roster.OTPObject) []byte {
	h := sha256.New()
	for _, x := range objects {
		for _, part := range []string{x.Kind, x.ID} {
			_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
			h.Write([]byte(part))
		}
	}
	return h.Sum(nil)
}

// tryScope is what wrong keys are counted by: the slug, and the objects that were given.
func tryScope(q store.OTPQuery) store.TryScope {
	scope := store.TryScope{Key: "otp-scope/" + q.Slug + "/" + hex.EncodeToString(otpScope(q.Objects))}
	for _, x := range q.Objects {
		if x.Kind != roster.OTPUserKind {
			continue
		}
		if id, err := roster.ParseID(x.ID); err == nil {
			scope.User = &id
			break
		}
	}
	return scope
}

// tooEarly tells of a wait after wrong codes.
func tooEarly(w store.Wait, now time.Time) error {
	return roster.ErrTooManyRequests.WithRetryAfter(max(w.Until.Sub(now), time.Millisecond)).
		WithCause(roster.TimeoutError{Until: w.Until, Failures: w.Failures})
}
