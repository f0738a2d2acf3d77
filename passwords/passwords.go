// Package passwords hashes and checks passwords: argon2id by default, the hashes of other systems for import, so
// many at once as the machine has cores, the limits that every password keeps, and the policy for those that people
// choose.
//
// It follows the OWASP Password Storage Cheat Sheet, RFC 9106 and NIST SP 800-63B-4. Passwords are normalised by
// NFKC, then hashed whole: nothing is trimmed or cut, and the last code point counts like the first.
package passwords

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/roster-go/roster"
)

// Passwords hashes and checks passwords, in turn. It is safe for concurrent use. New makes it.
type Passwords struct {
	hasher               Hasher
	dummy                string // a hash of no password, of the kind and parameters of new ones
	live                 scheme // of dummy; nil when only the program's own Hasher can read it
	minLength, maxLength int
	context              map[string]bool // folded words
	breached             BreachChecker
	failClosed           bool
	places               int
	queue                queue
	heap                 *heap // nil: is left alone
	pace                 pace
}

// New returns the Passwords of cfg, or all faults of cfg at once. It makes the hash that Verify checks against when
// there is none: the ready-made Hashers do so without work, a program's own is called once.
func New(cfg Config) (*Passwords, error) {
	cfg = cfg.filled()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Passwords{
		hasher:     cfg.Hasher,
		minLength:  cfg.MinLength,
		maxLength:  cfg.MaxLength,
		context:    make(map[string]bool),
		breached:   cfg.Breached,
		failClosed: cfg.BreachedFailClosed,
		places:     cfg.MaxConcurrent,
		queue:      queue{free: cfg.MaxConcurrent, maxWaiting: cfg.MaxWaiting},
		pace:       pace{mean: make(map[scheme]time.Duration)},
	}
	for _, word := range cfg.ContextWords {
		p.context[fold(word)] = true
	}
	var err error
	if m, ok := cfg.Hasher.(maker); ok {
		p.dummy, err = m.dummy(rand.Reader)
	} else {
		p.dummy, err = cfg.Hasher.Hash(context.Background(), roster.Secret(rand.Text()))
	}
	if err != nil {
		return nil, err
	}
	if d, err := parse(p.dummy); err == nil {
		p.live = d.scheme
	}
	if cfg.TuneHeap && p.live != nil {
		p.heap = tuneHeap(p.places, p.live.memory())
	}
	return p, nil
}

// Hash returns a new hash of password, for storing. A password that breaks the hard limits is a field error of
// "password", see CheckLimits. It waits for its turn; see Verify.
func (p *Passwords) Hash(ctx context.Context, password roster.Secret) (encoded string, err error) {
	if faults := p.CheckLimits("password", password); len(faults) > 0 {
		return "", faults.Err()
	}
	if err := p.queue.enter(ctx, 1); err != nil {
		return "", err
	}
	defer p.queue.leave(1)
	p.heap.enter()
	defer p.heap.leave()
	elapsed := stopwatch()
	if encoded, err = p.hasher.Hash(ctx, normal(password)); err != nil {
		return "", err
	}
	p.pace.learn(p.live, elapsed())
	return encoded, nil
}

// Verify reports whether encoded is a hash of password. When encoded says that there is none ("" or a leading "!"),
// when it cannot be read, and when the password breaks the hard limits, the answer is no, after as much work as ever.
//
// A password is tried in its normal form and, where that differs, as typed: other systems hash it so. Wrong ones take
// equally long whatever kind of hash was checked.
//
// Calls wait in turn for one of Config.MaxConcurrent places. When Config.MaxWaiting wait already, the error is
// ErrUnavailable at once, with RetryAfter; when the context ends the wait, ErrUnavailable with the context's error.
// A hash that has begun is not interrupted.
func (p *Passwords) Verify(ctx context.Context, encoded string, password roster.Secret) (Match, error) {
	hopeless := none(encoded)
	if len(p.CheckLimits("", password)) > 0 {
		hopeless, password = true, "one within the limits"
	}
	if hopeless {
		encoded = p.dummy
	}
	kind := p.live
	if d, err := parse(encoded); err == nil {
		kind = d.scheme
	}
	forms := p.forms(kind, password)

	a, err := p.attempt(ctx, encoded, forms, p.weight(kind))
	if err != nil {
		return Match{}, err
	}
	p.pace.learn(kind, a.took/time.Duration(a.runs))
	if hopeless {
		a.match = Match{}
	}
	if !a.match.OK {
		wait(ctx, p.pace.slowest()*time.Duration(a.runs)-a.took)
	}
	return a.match, nil
}

// VerifyDummy costs what Verify does and has no answer: for unknown users and accounts without a password.
func (p *Passwords) VerifyDummy(ctx context.Context, password roster.Secret) error {
	_, err := p.Verify(ctx, "", password)
	return err
}

type attempt struct {
	match Match
	runs  int
	took  time.Duration
}

func (p *Passwords) attempt(ctx context.Context, encoded string, forms []roster.Secret, places int) (a attempt, err error) {
	if err := p.queue.enter(ctx, places); err != nil {
		return attempt{}, err
	}
	defer p.queue.leave(places)
	p.heap.enter()
	defer p.heap.leave()
	elapsed := stopwatch()
	a.match, a.runs, err = p.try(ctx, encoded, forms)
	if errors.Is(err, ErrUnreadable) {
		_, a.runs, err = p.try(ctx, p.dummy, forms)
		a.match = Match{Unreadable: true}
	}
	a.took = elapsed()
	return a, err
}

// try checks one form after the other until one is right.
func (p *Passwords) try(ctx context.Context, encoded string, forms []roster.Secret) (match Match, runs int, err error) {
	for _, form := range forms {
		match, err = p.hasher.Verify(ctx, encoded, form)
		if errors.Is(err, ErrUnreadable) { // a kind that the program's own Hasher does not know
			match, err = verify(nil, encoded, form)
		}
		runs++
		if err != nil || match.OK {
			// New hashes are of the normal form: one of another form is to be replaced.
			match.Stale = match.Stale || match.OK && form != normal(form)
			return match, runs, err
		}
	}
	return match, runs, nil
}

// forms are the spellings to try. Which comes first saves a run when it is right, no more.
func (p *Passwords) forms(kind scheme, typed roster.Secret) []roster.Secret {
	n := normal(typed)
	switch {
	case n == typed:
		return []roster.Secret{n}
	case kind == p.live:
		return []roster.Secret{n, typed}
	}
	return []roster.Secret{typed, n}
}

// weight is how many places a hash takes, so that their memory is bounded by that of new ones.
func (p *Passwords) weight(kind scheme) int {
	if kind == nil || kind == p.live {
		return 1
	}
	unit := defaultMemory
	if p.live != nil && p.live.memory() > 0 {
		unit = p.live.memory()
	}
	return min(max(1, (kind.memory()+unit-1)/unit), p.places)
}
