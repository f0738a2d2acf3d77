package mixins

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/internal/revocations"
	"github.com/roster-go/roster/store"
)

// view is what this process knows of revocations, so that an access token is judged without asking anybody. Its truth is
// the database, which it reads at the start, after each transaction of this process that revokes something, when others
// tell of theirs, and in any case each PollInterval. What it has not read for MaxStaleness it says nothing about.
type view struct {
	read func(ctx context.Context, from store.Place, life time.Duration) (store.Revocations, error)
	now  func() time.Time

	poll, stale time.Duration
	known       *revocations.Known

	heard     atomic.Pointer[time.Time] // when the last reading began that came back; nil: what is known is not all
	failed    atomic.Pointer[time.Time] // when the last one failed
	following atomic.Bool               // somebody reads each PollInterval, so that requests need not

	// One reads at a time, who holds the one place of reading. Whoever waited while a reading began and ended needs none
	// of their own.
	reading chan struct{}
	asked   atomic.Int64
	served  int64
	// keysChanged is called when the signing keys have.
	keysChanged func(ctx context.Context) error
	keysEpoch   int64
	// from is where the next reading goes on; the beginning after one that failed. began is when the last one did.
	from  store.Place
	began time.Time

	trust      sync.Mutex // guards the writing of heard
	distrusted int64      // a reading that began before this ticket was given is not trusted
}

// A request waits so long for a reading at most, and asks for none so shortly after one that failed.
const (
	maxAsk   = time.Second
	askPause = 200 * time.Millisecond
)

// maxWriting is how long a transaction may take from what it revokes to its commit for a node to know of it that starts, or
// begins anew, after that. Nodes that follow meanwhile miss nothing.
const maxWriting = time.Hour

func newView(node string, s SessionConfig, db *store.Store, now func() time.Time) *view {
	return &view{
		read: db.ReadRevocations, now: now, poll: s.PollInterval, stale: s.MaxStaleness,
		known: revocations.New(node, s.AccessTTL, s.Leeway), reading: make(chan struct{}, 1),
	}
}

// catchUp reads what is committed by now, and what was before the last reading and could not be seen by it.
func (v *view) catchUp(ctx context.Context) error {
	ticket := v.asked.Add(1)
	select {
	case v.reading <- struct{}{}:
		defer func() { <-v.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if v.served >= ticket && v.heard.Load() != nil { // which distrust may have taken away since
		return nil
	}
	upTo, began := v.asked.Load(), v.now()
	if revocations.Age(began, v.began) == never {
		// The clock was set back. What was learned by the wrong time may have been forgotten too early.
		v.from = store.Place{}
	}
	v.began = began
	r, err := v.read(ctx, v.from, v.known.Life()+maxWriting)
	if err == nil {
		v.known.Learn(newsOf(r), began)
	}
	if err == nil && r.KeysEpoch != v.keysEpoch {
		if err = v.keysChanged(ctx); err == nil {
			v.keysEpoch = r.KeysEpoch
		}
	}
	if v.from = r.Place; err != nil {
		v.from = store.Place{}
		v.failed.Store(&began)
		return err
	}
	v.served = upTo
	v.trust.Lock()
	defer v.trust.Unlock()
	if upTo >= v.distrusted {
		v.heard.Store(&began)
	}
	return nil
}

// newsOf is what was read, for the memory.
func newsOf(r store.Revocations) revocations.News {
	n := revocations.News{Server: r.Server, Position: r.Position, GlobalEpoch: r.GlobalEpoch}
	for _, x := range r.Sessions {
		n.Sessions = append(n.Sessions, revocations.Session(x))
	}
	for _, u := range r.Users {
		n.Users = append(n.Users, revocations.User(u))
	}
	return n
}

// ready lets a request go on that needs what is revoked: at once where that was read shortly before, else after a reading.
// While the database does not answer, what was read lately still counts, and one request at a time asks for more.
func (v *view) ready(ctx context.Context) error {
	age := v.age()
	usable := age <= v.stale
	switch {
	case age <= v.poll, usable && v.following.Load():
		return nil
	case since(v.now, &v.failed) < askPause, usable && len(v.reading) > 0:
		return v.usable(nil)
	}
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxAsk) // others wait for it too
	defer cancel()
	return v.usable(v.catchUp(inner))
}

// usable refuses to judge by what was read too long ago.
func (v *view) usable(err error) error {
	if v.age() <= v.stale {
		return nil
	}
	return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
}

// age is how long ago the last reading began.
func (v *view) age() time.Duration { return since(v.now, &v.heard) }

// since is how long ago something was; never where the clock was set back since, and nobody can tell.
func since(now func() time.Time, at *atomic.Pointer[time.Time]) time.Duration {
	if t := at.Load(); t != nil {
		return revocations.Age(now(), *t)
	}
	return never
}

const never = revocations.Never

// distrust makes the next request read, whatever comes of it, and of readings that are under way.
func (v *view) distrust() {
	v.trust.Lock()
	defer v.trust.Unlock()
	v.distrusted = v.asked.Add(1)
	v.heard.Store(nil)
}

// RevocationFeed is the channel on which nodes tell each other that there is something to read. What there is they do not
// tell: whoever can write to the cache could end sessions.
const RevocationFeed = "revocations"

// Revoked is told that this process has committed what revokes something: it knows of it before the operation returns, and
// wakes the others.
func (c *Core[U]) Revoked(ctx context.Context) {
	if c == nil || c.view == nil {
		return // Init is not done
	}
	inner, cancel := context.WithTimeout(ctx, maxAsk)
	defer cancel()
	if err := c.view.catchUp(inner); err != nil {
		c.view.distrust()
		c.Logger.ErrorContext(ctx, "what was revoked could not be read back: tokens are unavailable until it is", slog.Any("error", err))
	}
	if err := c.Cache.Publish(ctx, RevocationFeed, []byte{'1'}); err != nil {
		c.reportCache(ctx, err)
	}
}

// followPause gathers what others tell in a burst.
const followPause = 5 * time.Millisecond

// listenPause is how often follow reads while nobody can wake it, whatever the poll, and how long after a try to subscribe that
// failed it tries again.
const listenPause = time.Second

// maxFollow bounds one reading by follow.
const maxFollow = 5 * time.Second

// follow keeps the view current until ctx ends.
func (c *Core[U]) follow(ctx context.Context) {
	c.view.following.Store(true)
	defer c.view.following.Store(false)
	tick := time.NewTicker(c.view.poll)
	defer tick.Stop()
	feed, deaf := c.listen(ctx), false
	for failing := false; ; {
		inner, cancel := context.WithTimeout(ctx, maxFollow)
		err := c.view.catchUp(inner)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if failing != (err != nil) {
			failing = err != nil
			c.reportView(ctx, err)
		}
		var again <-chan time.Time
		if feed == nil || deaf { // the poll may be rare
			again = time.After(listenPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
			if feed == nil {
				feed = c.listen(ctx)
			}
		case <-tick.C:
		case e, ok := <-feed:
			if !ok {
				feed, deaf = nil, false
				continue
			}
			deaf = gather(ctx, feed, e).Kind == cache.Lost
		}
	}
}

// listen subscribes to what other nodes tell; nil: the cache does not answer, and there is the poll.
func (c *Core[U]) listen(ctx context.Context) <-chan cache.Event {
	feed, err := c.Cache.Subscribe(ctx, RevocationFeed)
	if err != nil && ctx.Err() == nil {
		c.reportCache(ctx, err)
	}
	return feed
}

// gather takes what comes within a moment of an event, so that one reading serves for all of a burst, and returns the last.
func gather(ctx context.Context, feed <-chan cache.Event, last cache.Event) cache.Event {
	end := time.NewTimer(followPause)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return last
		case <-end.C:
			return last
		case e, ok := <-feed:
			if !ok {
				return last // the caller finds it closed as well
			}
			last = e
		}
	}
}

func (c *Core[U]) reportView(ctx context.Context, err error) {
	if err == nil {
		c.Logger.InfoContext(ctx, "revocations are followed again")
		return
	}
	c.Logger.WarnContext(ctx, "revocations cannot be read: tokens are verified from memory for so long, and then unavailable",
		slog.Duration("max_staleness", c.view.stale), slog.Any("error", err))
}
