package passwords

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roster-go/roster"
)

// Preset is a choice of the settings of the policy; "" asks for 8 code points at least.
type Preset string

// NIST asks for 15 code points at least, as NIST SP 800-63B-4 does where the password is the only factor.
const NIST Preset = "nist"

var minLengths = map[Preset]int{"": 8, NIST: 15}

// CheckPolicy returns every fault, told of the given field, of a password that a person chooses: those of CheckLimits
// and, where there are none, too_short, common, and similar to its owner. It looks at nothing outside of the process;
// see CheckBreached.
//
// There is no rule of composition: letters, digits, spaces and emoji are all the same to it.
func (p *Passwords) CheckPolicy(field string, password roster.Secret, owner Owner) roster.FieldErrors {
	if faults := p.CheckLimits(field, password); len(faults) > 0 {
		return faults
	}
	faults := p.checkMinimum(field, password)
	folded := fold(password.Reveal())
	if isCommon(folded) || p.context[folded] || fewerThan3(normal(password).Reveal()) {
		faults.Add(field, roster.Common)
	}
	if similar(folded, owner) {
		faults.Add(field, roster.Similar)
	}
	return faults
}

// checkMinimum returns the fault too_short.
func (p *Passwords) checkMinimum(field string, password roster.Secret) roster.FieldErrors {
	if length(password) >= p.minLength {
		return nil
	}
	return roster.FieldErrors{{Field: field, Code: roster.TooShort, Params: map[string]any{"min": p.minLength}}}
}

// BreachChecker knows passwords that were made public, and that attackers therefore try first. It is safe for concurrent
// use. What leaves the process is at most a prefix of a hash; HIBP is a ready-made one.
type BreachChecker interface {
	// Breached reports whether a password was made public. It is given up after a second.
	Breached(ctx context.Context, password roster.Secret) (bool, error)
}

// breachTimeout is how long people wait for Config.Breached.
const breachTimeout = time.Second

// CheckBreached returns the fault breached of a password that Config.Breached knows. Its error, which never holds the
// password, is roster.ErrUnavailable with Config.BreachedFailClosed; without, the caller logs it and goes on.
func (p *Passwords) CheckBreached(ctx context.Context, field string, password roster.Secret) (roster.FieldErrors, error) {
	if p.breached == nil {
		return nil, nil
	}
	breached, err := p.askBreached(ctx, normal(password))
	switch {
	case err != nil && p.failClosed:
		return nil, roster.ErrUnavailable.WithRetryAfter(breachTimeout).WithCause(err)
	case err != nil:
		return nil, err
	case breached:
		return roster.FieldErrors{{Field: field, Code: roster.Breached}}, nil
	}
	return nil, nil
}

// askBreached keeps the limit also with a checker that does not look at its context.
func (p *Passwords) askBreached(ctx context.Context, password roster.Secret) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, breachTimeout)
	defer cancel()
	type answer struct {
		breached bool
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if recover() != nil { // what it panicked with may hold the password
				a.err = errors.New("it panicked")
			}
			answers <- a
		}()
		a.breached, a.err = p.breached.Breached(ctx, password)
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return false, fmt.Errorf("check for a breach: %w", a.err)
		}
		return a.breached, nil
	case <-ctx.Done():
		return false, fmt.Errorf("check for a breach: %w", ctx.Err())
	}
}
