package mixins

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

const (
	maxOTPData     = 8 << 10 // bytes
	maxOTPAttempts = 1000
	otpAttempts    = 5   // by default
	otpKeys        = 100 // that are generated, if they are all taken
	ownSlugs       = "roster."
)

var errNoKey = errors.New("the key generator made no key of 1 to 256 bytes")

// CreateOTP implements OTPOps.
func (m OneTime[U]) CreateOTP(ctx context.Context, slug string, options ...roster.OTPOption) (*roster.OTP, error) {
	c, o := m.core, roster.OTPOptionsOf(options...)
	ctx, err := c.enter(ctx, "CreateOTP")
	if err != nil {
		return nil, err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return nil, err
	}
	x, q, err := c.plannedOTP(slug, o)
	if err != nil {
		return nil, err
	}
	generate := o.Generate
	if generate == nil {
		generate = c.Settings.OneTime.KeyGenerator
	}
	var key string
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		if o.DeactivateOld {
			old := q
			if o.AllOwners {
				old.Objects = nil
			}
			if _, err := c.Store.EndOTPs(ctx, old); err != nil {
				return err
			}
		}
		for range otpKeys {
			if key, err = newOTPKey(generate); err != nil {
				return err
			}
			if x.Scope = []byte{}; !isLongKey(key) {
				if len(q.Objects) == 0 {
					return roster.FieldErrors{{Field: "related", Code: roster.Required}}.Err()
				}
				x.Scope = otpScope(q.Objects)
			}
			hashes := c.Secrets.MACs(secrets.OneTimeCode, otpMAC(slug, x.Scope, key)...)
			x.Hash = hashes[0]
			if stored, err := c.Store.InsertOTP(ctx, x, q.Objects, hashes); err != nil || stored {
				return err
			}
		}
		return roster.ErrKeysExhausted
	})
	if err != nil {
		return nil, err
	}
	return &roster.OTP{
		ID: x.ID, Slug: slug, SecretKey: roster.Secret(key), Related: q.Objects, Data: x.Data,
		CreatedAt: x.CreatedAt, ExpiresAt: x.ExpiresAt, Active: true, MaxAttempts: x.MaxAttempts,
	}, nil
}

// plannedOTP is what the options ask for, without a key; all their faults are told together.
func (c *Core[U]) plannedOTP(slug string, o roster.OTPOptions) (store.OTP, store.OTPQuery, error) {
	var faults roster.FieldErrors
	q, now, life, most := c.otpQuery(slug, o.Related, &faults), c.now(), c.Settings.OneTime.Expiration, otpAttempts
	if strings.HasPrefix(slug, ownSlugs) {
		faults.Add("slug", roster.ForbiddenField)
	}
	if o.DeactivateOld && len(o.Related) == 0 && !o.AllOwners {
		faults.Add("related", roster.Required)
	}
	if o.Expiration != nil {
		life = *o.Expiration
	}
	if life <= 0 || life > c.Settings.OneTime.MaxLife {
		faults.Add("expiration", roster.Invalid)
	}
	if o.MaxAttempts != nil {
		most = *o.MaxAttempts
	}
	if most < 1 || most > maxOTPAttempts {
		faults.Add("max_attempts", roster.Invalid)
	}
	var data json.RawMessage
	if o.HasData {
		data = otpData(o.Data, &faults)
	}
	return store.OTP{
		ID: c.Self.NewID(), Slug: slug, Data: data, MaxAttempts: most, CreatedAt: now, ExpiresAt: now.Add(life).Truncate(time.Microsecond),
	}, q, faults.Err()
}

// otpData is a value as JSON. Raw messages may hold what is not UTF-8, which PostgreSQL does not take.
func otpData(value any, faults *roster.FieldErrors) json.RawMessage {
	data, err := json.Marshal(value)
	switch {
	case err != nil || !utf8.Valid(data):
		faults.Add("data", roster.Invalid)
	case len(data) > maxOTPData:
		faults.Add("data", roster.TooLong)
	}
	return data
}

// newOTPKey calls a generator.
func newOTPKey(generate roster.OTPKeyFunc) (string, error) {
	key, err := generate()
	if err != nil {
		return "", roster.ErrInternal.WithCause(err)
	}
	key, ok := tidyKey(roster.Secret(key))
	if !ok {
		return "", roster.ErrInternal.WithCause(errNoKey)
	}
	return key, nil
}
