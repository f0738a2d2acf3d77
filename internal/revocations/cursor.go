package revocations

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/roster-go/roster"
)

// cursor is how far somebody has followed: by the numbers of the memory that they have asked last, and for another one by
// the position of the database, as long as that is on the same server.
type cursor struct {
	server, position, globalEpoch int64
	node                          string
	number                        int64
}

func (c cursor) String() string {
	return fmt.Sprintf("%d.%d.%d.%s.%d", c.server, c.position, c.globalEpoch, c.node, c.number)
}

const maxCursor = 128

func parseCursor(text string) (cursor, error) {
	part := strings.Split(text, ".")
	if len(text) > maxCursor || len(part) != 5 {
		return cursor{}, roster.ErrInvalidCursor
	}
	c := cursor{node: part[3]}
	for i, into := range map[int]*int64{0: &c.server, 1: &c.position, 2: &c.globalEpoch, 4: &c.number} {
		n, err := strconv.ParseInt(part[i], 10, 64)
		if err != nil || n < 0 {
			return cursor{}, roster.ErrInvalidCursor
		}
		*into = n
	}
	return c, nil
}

// Ahead reports whether a cursor is of somebody who has seen what is not known here: another node was faster, or the
// database was restored since.
func (k *Known) Ahead(after string) (bool, error) {
	if after == "" {
		return false, nil
	}
	c, err := parseCursor(after)
	if err != nil {
		return false, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return c.server != k.server || c.position > k.position || c.globalEpoch > k.globalEpoch || c.node == k.node && c.number > k.last, nil
}

// Since returns what is live and came after a cursor, "" for all, and the cursor to go on from; at most so many entries,
// and whether there are more. There is news when the answer says more than the one that the cursor is of; until then
// changed is closed with the next change.
func (k *Known) Since(after string, most int) (r roster.Revocations, news bool, changed <-chan struct{}, err error) {
	c, all := cursor{}, after == ""
	if !all {
		if c, err = parseCursor(after); err != nil {
			return roster.Revocations{}, false, nil, err
		}
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	same := c.node == k.node && !all
	// It is of another server, of one that was restored from a copy, or of another life of this node.
	if c.server != k.server && !same || c.server == k.server && c.position > k.position || same && c.number > k.last {
		c, all, same = cursor{}, true, false
	}
	r = roster.Revocations{GlobalEpoch: k.globalEpoch, AccessTTL: k.ttl, Sessions: []roster.ID{}, Users: []roster.UserEpoch{}}
	from := 0
	if same {
		from = sort.Search(len(k.entries), func(i int) bool { return k.entries[i].number > c.number })
	}
	next := cursor{k.server, k.position, k.globalEpoch, k.node, k.last}
	for _, e := range k.entries[from:] {
		if !all && !same && e.at < c.position {
			continue
		}
		if len(r.Sessions)+len(r.Users) == most { // the rest is told by the numbers from here on
			r.More, next.server, next.position = true, c.server, c.position
			break
		}
		next.number = e.number
		if e.epoch < 0 {
			r.Sessions = append(r.Sessions, e.id)
		} else {
			r.Users = append(r.Users, roster.UserEpoch{ID: e.id, Epoch: e.epoch})
		}
	}
	if !r.More {
		next.number = k.last
	}
	r.Position = next.String()
	news = all || c.globalEpoch != k.globalEpoch || len(r.Sessions)+len(r.Users) > 0
	return r, news, k.changed, nil
}
