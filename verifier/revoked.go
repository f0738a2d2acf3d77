package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/revocations"
)

// revoked follows what was revoked.
type revoked struct {
	config Revocations
	asks   asker
	now    func() time.Time
	logger *slog.Logger
	known  *revocations.Known

	heard  atomic.Pointer[time.Time] // when the request began that brought the last answer; nil: not all is known
	tried  atomic.Pointer[time.Time] // when the last one began that failed
	failed atomic.Pointer[error]
	first  chan struct{} // closed once all that is live was loaded
	asking chan struct{} // one asks at a time, who holds the one place
	after  string
}

const (
	maxAnswer  = 4 << 20         // bytes; Roster's have 10,000 entries at most
	maxPages   = 1000            // of one load
	askTimeout = 2 * time.Second // and the time that the answer may wait for something new
	askPause   = 200 * time.Millisecond
	maxFirst   = 2 * time.Second // a request waits so long for the first load
	idlePause  = time.Second     // between answers that came early and said nothing new
	youth      = time.Second     // without Run: what is younger needs no asking
)

func newRevoked(r Revocations, cfg Config, asks asker) *revoked {
	return &revoked{
		config: r, asks: asks, now: cfg.Now, logger: cfg.Logger, known: revocations.New("", 0, cfg.Leeway),
		first: make(chan struct{}), asking: make(chan struct{}, 1),
	}
}

// answer is that of the endpoint.
type answer struct {
	Position    *string      `json:"position"`
	More        bool         `json:"more"`
	GlobalEpoch *int64       `json:"global_epoch"`
	AccessTTL   int64        `json:"access_ttl"`
	Sessions    *[]roster.ID `json:"sessions"`
	Users       *[]userEpoch `json:"users"`
}

type userEpoch struct {
	ID    roster.ID `json:"id"`
	Epoch int64     `json:"epoch"`
}

// maxTTL is the longest that access tokens of Roster can live.
const maxTTL = time.Hour

func parseAnswer(text []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return a, err
	}
	if a.Position == nil || *a.Position == "" || a.GlobalEpoch == nil || a.Sessions == nil || a.Users == nil ||
		a.AccessTTL < 1 || a.AccessTTL > int64(maxTTL/time.Second) {
		return a, errors.New("is no answer of revocations")
	}
	return a, nil
}

// ask learns what came since the last answer, and reports whether it was anything. It waits so long for something new.
func (r *revoked) ask(ctx context.Context, wait time.Duration) (news bool, err error) {
	began := r.now()
	if last := r.heard.Load(); last != nil && revocations.Age(began, *last) == never {
		r.after = "" // the clock was set back: what was learned by the wrong time may have been forgotten too early
	}
	for range maxPages {
		values := url.Values{}
		if r.after != "" {
			values.Set("after", r.after)
			values.Set("wait", strconv.Itoa(int(wait/time.Second)))
		}
		text, _, err := r.asks.get(ctx, r.config.URL+"?"+values.Encode(), maxAnswer, wait+askTimeout, func(q *http.Request) {
			q.SetBasicAuth(r.config.Service, r.config.Secret.Reveal())
		})
		if refused, ok := errors.AsType[statusError](err); ok {
			switch refused.status {
			case http.StatusBadRequest:
				r.after = "" // of a server of another version: the next request begins anew
			case http.StatusUnauthorized:
				return news, fmt.Errorf("%w: is the service %q with this secret in routes.Config.Services?", err, r.config.Service)
			}
		}
		if err != nil {
			return news, err
		}
		a, err := parseAnswer(text)
		if err != nil {
			return news, err
		}
		n := revocations.News{GlobalEpoch: *a.GlobalEpoch}
		for _, id := range *a.Sessions {
			n.Sessions = append(n.Sessions, revocations.Session{ID: id})
		}
		for _, u := range *a.Users {
			n.Users = append(n.Users, revocations.User{ID: u.ID, Epoch: u.Epoch})
		}
		r.known.SetTTL(time.Duration(a.AccessTTL) * time.Second)
		news = r.known.Learn(n, r.now()) || news
		r.after = *a.Position
		if !a.More {
			r.heard.Store(&began)
			select {
			case <-r.first:
			default:
				close(r.first)
			}
			return news, nil
		}
		wait = 0
	}
	return news, fmt.Errorf("more than %d answers were not all", maxPages)
}

// once asks, unless somebody else has just done so where young is more than 0, and notes what becomes of it.
func (r *revoked) once(ctx context.Context, wait, young time.Duration) (news bool, err error) {
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if young > 0 && (since(r.now, &r.heard) < young || since(r.now, &r.tried) < askPause) {
		return false, nil
	}
	began := r.now()
	news, err = r.ask(ctx, wait)
	if ctx.Err() != nil {
		return news, ctx.Err()
	}
	if (err != nil) != (r.failed.Load() != nil) {
		if err != nil {
			r.logger.WarnContext(ctx, "revocations cannot be read: tokens are verified from memory for so long, and then unavailable",
				slog.Duration("max_staleness", r.config.MaxStaleness), slog.Any("error", err))
		} else {
			r.logger.InfoContext(ctx, "revocations are followed again")
		}
	}
	if err != nil {
		r.failed.Store(&err)
		r.tried.Store(&began)
		return news, err
	}
	r.failed.Store(nil)
	return news, nil
}

// ready lets a request go on that needs what is revoked.
func (r *revoked) ready(ctx context.Context, followed bool) error {
	switch age := since(r.now, &r.heard); {
	case followed && age == never: // it has just begun
		timer := time.NewTimer(maxFirst)
		defer timer.Stop()
		select {
		case <-r.first:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	case !followed && age >= youth:
		if _, err := r.once(ctx, 0, youth); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if since(r.now, &r.heard) <= r.config.MaxStaleness {
		return nil
	}
	if err := r.failed.Load(); err != nil {
		return unavailable(*err)
	}
	return unavailable(errors.New("revocations were not read yet"))
}

// follow asks again and again until ctx ends. An answer waits for a third of MaxStaleness, so that one that is lost leaves
// time for another.
func (r *revoked) follow(ctx context.Context) {
	wait := min(r.config.MaxStaleness/3, 30*time.Second).Truncate(time.Second)
	for ctx.Err() == nil {
		began := time.Now() //nolint:forbidigo // how long the network took
		asked := wait
		if r.failed.Load() != nil || r.heard.Load() == nil {
			asked = 0
		}
		news, err := r.once(ctx, asked, 0)
		pause := time.Duration(0)
		switch {
		case err != nil:
			pause = askPause
		case !news && time.Since(began) < asked/2: //nolint:forbidigo // likewise
			pause = idlePause
		}
		if pause == 0 {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
