// Package revocations is the memory of what was revoked, by which access tokens are judged without asking anybody: in a
// node of the repo, which reads it from the database, and in a service that has it from such a node.
package revocations

import (
	"sync"
	"time"

	"github.com/roster-go/roster"
)

// News is what was read of revocations: some of it may have been read before.
type News struct {
	// Server is whose transactions the positions count; 0 where there is one only.
	Server int64
	// Position is where the next reading of the database goes on; 0 where it was not read.
	Position    int64
	GlobalEpoch int64
	Sessions    []Session
	Users       []User
}

// Session has ended. At is where it stands: who read the database from a position up to it was given it.
type Session struct {
	ID roster.ID
	At int64
}

// User has a new epoch.
type User struct {
	ID    roster.ID
	Epoch int64
	At    int64
}

// Known is what is known by now. It is safe for concurrent use.
type Known struct {
	node string // tells the numbers of entries here from those of others

	mu          sync.RWMutex
	ttl, leeway time.Duration
	server      int64
	position    int64
	globalEpoch int64
	read        bool // anything at all
	swept       time.Time
	sessions    map[roster.ID]time.Time // when each was learned of
	users       map[roster.ID]userEpoch
	entries     []entry // in the order in which they were learned
	last        int64   // the number of the last change
	changed     chan struct{}
}

type userEpoch struct {
	epoch   int64
	learned time.Time
}

// entry is a session that has ended, or a user's new epoch.
type entry struct {
	number, at int64
	learned    time.Time
	id         roster.ID
	epoch      int64 // of a user; else -1
}

// margin is added to the life of an entry, for clocks that differ.
const margin = time.Minute

// New returns an empty memory for access tokens that live so long. node names it among others, in letters and digits.
func New(node string, ttl, leeway time.Duration) *Known {
	return &Known{
		node: node, ttl: ttl, leeway: leeway, changed: make(chan struct{}),
		sessions: map[roster.ID]time.Time{}, users: map[roster.ID]userEpoch{},
	}
}

// Life is for how long an entry is kept: as long as a token that it kills could live.
func (k *Known) Life() time.Duration {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.life()
}

func (k *Known) life() time.Duration { return k.ttl + k.leeway + margin }

// SetTTL sets how long access tokens live.
func (k *Known) SetTTL(ttl time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ttl = ttl
}

// Learn takes over what was read at a time, and reports whether anything of it was new.
func (k *Known) Learn(n News, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.last
	if !k.read || n.GlobalEpoch != k.globalEpoch {
		k.last++
	}
	k.read, k.server, k.position, k.globalEpoch = true, n.Server, n.Position, n.GlobalEpoch
	for _, x := range n.Sessions {
		if _, known := k.sessions[x.ID]; !known {
			k.sessions[x.ID] = now
			k.add(entry{at: x.At, learned: now, id: x.ID, epoch: -1})
		}
	}
	for _, u := range n.Users {
		if u.Epoch > k.users[u.ID].epoch {
			k.users[u.ID] = userEpoch{u.Epoch, now}
			k.add(entry{at: u.At, learned: now, id: u.ID, epoch: u.Epoch})
		}
	}
	k.sweep(now)
	if k.last == before {
		return false
	}
	close(k.changed)
	k.changed = make(chan struct{})
	return true
}

func (k *Known) add(e entry) {
	k.last++
	e.number = k.last
	k.entries = append(k.entries, e)
}

const sweepEvery = time.Minute

// sweep forgets what can kill no token any more. It makes the maps anew, since they do not shrink.
func (k *Known) sweep(now time.Time) {
	if now.Sub(k.swept).Abs() < sweepEvery { // the clock may have been set back
		return
	}
	k.swept = now
	alive := func(learned time.Time) bool { return now.Sub(learned) <= k.life() }
	sessions, users, entries := map[roster.ID]time.Time{}, map[roster.ID]userEpoch{}, []entry{}
	for id, learned := range k.sessions {
		if alive(learned) {
			sessions[id] = learned
		}
	}
	for id, u := range k.users {
		if alive(u.learned) {
			users[id] = u
		}
	}
	for _, e := range k.entries {
		if alive(e.learned) {
			entries = append(entries, e)
		}
	}
	k.sessions, k.users, k.entries = sessions, users, entries
}

// Judge returns why the claims of a token whose signature holds count no longer, or nil. One that was issued with a longer
// life than access tokens have now ends as if it had been issued with that: what could kill it is not kept for longer.
func (k *Known) Judge(claims *roster.Claims, now time.Time) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if !now.Before(claims.IssuedAt.Add(k.ttl + k.leeway)) {
		return roster.ErrTokenExpired
	}
	if claims.GlobalEpoch < k.globalEpoch {
		return roster.ErrSessionRevoked
	}
	if _, ended := k.sessions[claims.SessionID]; ended {
		return roster.ErrSessionRevoked
	}
	if claims.Epoch < k.users[claims.Subject].epoch {
		return roster.ErrTokenExpired // the session lives: refreshing gives a token of the new epoch
	}
	return nil
}

// Size is how many revocations are known.
func (k *Known) Size() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.sessions) + len(k.users)
}
