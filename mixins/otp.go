package mixins

import (
	"context"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// OTPOps are the operations of OneTime on one-time passwords for any purpose, which a slug names: 1 to 64 of a–z, 0–9,
// ".", "_" and "-", else roster.ErrValidationFailed. The program alone calls them: for others they are roster.ErrForbidden,
// unless an operation or a hook calls them. No event fires.
//
// Where related objects are given, a wrong key makes the next have to wait, 1 s and twice as long each time, 15 min at
// most: until then every key is roster.ErrTooManyRequests with a roster.TimeoutError, the right one too. Failures are
// forgotten once a right key is used, and 24 h after the last. Without a live one-time password nothing is counted, nor
// where no object is given: there the caller limits who asks.
type OTPOps interface {
	// CreateOTP makes a one-time password, good for 10 minutes by default (OneTime.Expiration), and returns it with its key,
	// which by default has 20 characters of A–Z, a–z and 0–9 (OneTime.KeyGenerator). Older ones of the slug stay good unless
	// roster.OTPDeactivateOld is given. A key of less than 16 characters needs a related object. When 100 keys in a row are
	// taken it is roster.ErrKeysExhausted, for a related user who is not there roster.ErrNotFound.
	CreateOTP(ctx context.Context, slug string, options ...roster.OTPOption) (*roster.OTP, error)

	// FindOTP returns the newest valid one that is related to all the objects, without its data; nil when there is none. It
	// asks for no key, and so proves nothing: it is for screens that show what is pending.
	FindOTP(ctx context.Context, slug string, related ...roster.OTPObject) (*roster.OTP, error)

	// CheckOTP reports whether a key is right, as often as one asks. One of less than 16 characters is found only together
	// with related objects, all of which the one-time password must have; a longer one by itself too.
	CheckOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (bool, error)

	// GetValidOTP is CheckOTP that returns what the key is of, with its data; the newest of several, and nil for a wrong key.
	GetValidOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (*roster.OTP, error)

	// UseOTP is GetValidOTP that consumes it: of several callers at once one gets it, the others nil. In a transaction that
	// is rolled back it is not consumed; wrong keys stay counted.
	UseOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (*roster.OTP, error)

	// ExtendOTP lets a valid one end after life from now, at most OneTime.MaxLife after it was made; nil means
	// OneTime.Expiration. It reports whether the key was right.
	ExtendOTP(ctx context.Context, slug string, key roster.Secret, life *time.Duration, related ...roster.OTPObject) (bool, error)

	// DeactivateOTP switches off what has the key and all the related objects that are given, without any the whole slug,
	// and returns how many that were. It counts no wrong keys: do not let strangers call it with keys.
	DeactivateOTP(ctx context.Context, slug string, matches ...roster.OTPMatch) (int, error)
}

// FindOTP implements OTPOps.
func (m OneTime[U]) FindOTP(ctx context.Context, slug string, related ...roster.OTPObject) (*roster.OTP, error) {
	ctx, q, err := m.core.enterOTP(ctx, "FindOTP", slug, related)
	if err != nil {
		return nil, err
	}
	q.Limit = 1
	found, err := m.core.Store.FindOTPs(ctx, q)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	found[0].Data = nil
	return m.core.otp(ctx, found[0])
}

// CheckOTP implements OTPOps.
func (m OneTime[U]) CheckOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (bool, error) {
	ctx, q, err := m.core.enterOTP(ctx, "CheckOTP", slug, related)
	if err != nil {
		return false, err
	}
	found, err := m.core.judgeOTP(ctx, q, key)
	return len(found) > 0, err
}

// GetValidOTP implements OTPOps.
func (m OneTime[U]) GetValidOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (*roster.OTP, error) {
	ctx, q, err := m.core.enterOTP(ctx, "GetValidOTP", slug, related)
	if err != nil {
		return nil, err
	}
	found, err := m.core.judgeOTP(ctx, q, key)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return m.core.otp(ctx, found[0])
}

// UseOTP implements OTPOps.
func (m OneTime[U]) UseOTP(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) (*roster.OTP, error) {
	c := m.core
	ctx, q, err := c.enterOTP(ctx, "UseOTP", slug, related)
	if err != nil {
		return nil, err
	}
	found, err := c.judgeOTP(ctx, q, key)
	if err != nil {
		return nil, err
	}
	for _, x := range found {
		used, err := c.Store.UseOTP(ctx, x.ID, c.now())
		if err != nil {
			return nil, err
		}
		if !used {
			continue // another was faster
		}
		if len(q.Objects) > 0 {
			if err := c.Store.ForgetGuesses(ctx, tryScope(q)); err != nil {
				return nil, err
			}
		}
		result, err := c.otp(ctx, x)
		if err != nil {
			return nil, err
		}
		result.Active = false
		return result, nil
	}
	return nil, nil
}

// ExtendOTP implements OTPOps.
func (m OneTime[U]) ExtendOTP(
	ctx context.Context, slug string, key roster.Secret, life *time.Duration, related ...roster.OTPObject,
) (bool, error) {
	c := m.core
	ctx, q, err := c.enterOTP(ctx, "ExtendOTP", slug, related)
	if err != nil {
		return false, err
	}
	s := c.Settings.OneTime
	if life == nil {
		life = &s.Expiration
	}
	if *life <= 0 {
		return false, roster.FieldErrors{{Field: "expiration", Code: roster.Invalid}}.Err()
	}
	found, err := c.judgeOTP(ctx, q, key)
	if err != nil || len(found) == 0 {
		return false, err
	}
	now := c.now()
	expires := now.Add(min(*life, s.MaxLife))
	if latest := found[0].CreatedAt.Add(s.MaxLife); expires.After(latest) {
		expires = latest
	}
	return c.Store.ExtendOTP(ctx, found[0].ID, expires, now)
}

// DeactivateOTP implements OTPOps.
func (m OneTime[U]) DeactivateOTP(ctx context.Context, slug string, matches ...roster.OTPMatch) (int, error) {
	c, match := m.core, roster.OTPMatchesOf(matches...)
	ctx, q, err := c.enterOTP(ctx, "DeactivateOTP", slug, match.Related)
	if err != nil {
		return 0, err
	}
	if match.Key != nil {
		if q.Hashes, err = c.otpHashesOf(ctx, q, *match.Key); err != nil || len(q.Hashes) == 0 {
			return 0, err
		}
	}
	n, err := c.Store.EndOTPs(ctx, q)
	return int(n), err
}

// enterOTP begins an operation on one-time passwords, which the program alone calls, and checks what it is about.
func (c *Core[U]) enterOTP(ctx context.Context, name, slug string, related []roster.OTPObject) (context.Context, store.OTPQuery, error) {
	var q store.OTPQuery
	ctx, err := c.enter(ctx, name)
	if err != nil {
		return ctx, q, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return ctx, q, err
	}
	var faults roster.FieldErrors
	q = c.otpQuery(slug, related, &faults)
	return ctx, q, faults.Err()
}

// otp is what the program is told of a live one-time password.
func (c *Core[U]) otp(ctx context.Context, x store.OTP) (*roster.OTP, error) {
	objects, err := c.Store.OTPObjects(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	return &roster.OTP{
		ID: x.ID, Slug: x.Slug, Related: objects, Data: x.Data, CreatedAt: x.CreatedAt, ExpiresAt: x.ExpiresAt, Active: true,
		Failures: x.Failures, MaxAttempts: x.MaxAttempts,
	}, nil
}
