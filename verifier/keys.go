package verifier

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster/tokens"
)

// keys are those of the JWKS, fetched when they are needed first.
type keys struct {
	url    string
	asks   asker
	use    *tokens.Verifier
	now    func() time.Time
	maxAge time.Duration
	logger *slog.Logger

	fetched  atomic.Pointer[time.Time] // when the fetch began that brought what is in use; nil: nothing is
	tried    atomic.Pointer[time.Time] // when the last one began
	failed   atomic.Pointer[error]     // what became of the last one, if it failed
	fresh    atomic.Int64              // for how long they need not be fetched anew
	fetching chan struct{}             // one fetches at a time, who holds the one place
	text     []byte                    // what is in use
}

const (
	keyLife    = 5 * time.Minute  // they are fetched anew so often, or as often as the server says
	keyPause   = 10 * time.Second // at most so often for a key id that is unknown, and for those that are due
	firstPause = time.Second      // so often while there are none
	keyTimeout = 5 * time.Second
	maxJWKS    = 64 << 10 // bytes
)

func newKeys(cfg Config, asks asker, use *tokens.Verifier) *keys {
	return &keys{
		url: cfg.JWKS, asks: asks, use: use, now: cfg.Now, maxAge: cfg.MaxKeyAge, logger: cfg.Logger, fetching: make(chan struct{}, 1),
	}
}

// ready lets a request go on that needs the keys. Where nobody follows, it fetches them when they are due; while one does,
// others use what there is.
func (k *keys) ready(ctx context.Context, followed bool) error {
	age := since(k.now, &k.fetched)
	usable := age <= k.maxAge
	due := age > time.Duration(k.fresh.Load())
	if !usable || due && !followed && len(k.fetching) == 0 {
		pause := keyPause
		if !usable {
			pause = firstPause
		}
		if err := k.fetch(ctx, pause); err != nil {
			return err
		}
		usable = since(k.now, &k.fetched) <= k.maxAge
	}
	if usable {
		return nil
	}
	return unavailable(k.cause())
}

func (k *keys) cause() error {
	if err := k.failed.Load(); err != nil {
		return *err
	}
	return errors.New("there are no keys yet")
}

// reload fetches the keys for a key id that is not among them, unless that was done shortly before. It is an error when
// nobody can tell whether there is such a key.
func (k *keys) reload(ctx context.Context) error {
	if err := k.fetch(ctx, keyPause); err != nil {
		return err
	}
	if k.failed.Load() != nil {
		return unavailable(k.cause())
	}
	return nil
}

// fetch fetches the keys, unless it was tried within pause. However many ask, one does it, and the others wait. Who gives up
// meanwhile ends it for nobody. The error is that of ctx alone.
func (k *keys) fetch(ctx context.Context, pause time.Duration) error {
	if since(k.now, &k.tried) < pause && len(k.fetching) == 0 {
		return nil
	}
	select {
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if since(k.now, &k.tried) < pause {
		return nil
	}
	began := k.now()
	k.tried.Store(&began)
	err := k.load(context.WithoutCancel(ctx), began)
	if (err != nil) != (k.failed.Load() != nil) {
		if err != nil {
			k.logger.WarnContext(ctx, "signing keys cannot be fetched: those known are used for so long, and then tokens are unavailable",
				slog.Duration("max_key_age", k.maxAge), slog.Any("error", err))
		} else {
			k.logger.InfoContext(ctx, "signing keys are fetched again")
		}
	}
	if err != nil {
		k.failed.Store(&err)
	} else {
		k.failed.Store(nil)
	}
	return nil
}

func (k *keys) load(ctx context.Context, began time.Time) error {
	text, header, err := k.asks.get(ctx, k.url, maxJWKS, keyTimeout, func(*http.Request) {})
	if err != nil {
		return err
	}
	if k.text == nil || !bytes.Equal(text, k.text) { // what was verified by the same keys stays remembered
		set, err := tokens.ParseJWKS(text)
		if err != nil {
			return err
		}
		k.use.Use(set)
		k.text = text
	}
	k.fresh.Store(int64(lifeOf(header)))
	k.fetched.Store(&began)
	return nil
}

// lifeOf is for how long an answer may be kept (RFC 9111, section 5.2.2), between keyPause and keyLife.
func lifeOf(h http.Header) time.Duration {
	life := keyLife
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		part = strings.TrimSpace(part)
		if part == "no-store" || part == "no-cache" {
			return keyPause
		}
		if text, ok := strings.CutPrefix(part, "max-age="); ok {
			if n, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 32); err == nil {
				life = min(life, time.Duration(n)*time.Second)
			}
		}
	}
	return max(life, keyPause)
}

// lookEvery is how often Run looks whether keys are due.
const lookEvery = time.Second

func (k *keys) follow(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		switch age := since(k.now, &k.fetched); {
		case age > k.maxAge:
			_ = k.fetch(ctx, firstPause) // ctx has ended
		case age > time.Duration(k.fresh.Load()):
			_ = k.fetch(ctx, keyPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
