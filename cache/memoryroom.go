package cache

import (
	"container/heap"
	"time"
)

// queueID says how willingly an entry is dropped to make room.
type queueID int

const (
	copies queueID = iota
	counters
	locks // never
	queueCount
)

// entry is a value or a counter. Times are durations since the start of the cache, which keeps the monotonic part of
// a real clock.
type entry struct {
	key     string
	value   []byte
	counter bool
	n       int64 // below zero while locked
	ends    time.Duration
	batch   uint64 // the call that counted last

	queue queueID
	index int // in the queue; below zero: in none
}

// counted is what Limit.take works on: zeroes when there is no counter.
func (e *entry) counted(now time.Duration) (n int64, ttl time.Duration) {
	if e == nil || !e.counter {
		return 0, 0
	}
	return e.n, e.ends - now
}

// queue is where a counter of this limit belongs. One that backs off stays a lock between its waits: whoever could
// have it dropped there would start anew.
func (l Limit) queue(n int64) queueID {
	if n < 0 || l.spent(n) {
		return locks
	}
	return counters
}

func (m *Memory) elapsed() time.Duration { return m.now().Sub(m.start) }

// live returns the entry of a key, nil when there is none or it has ended.
func (m *Memory) live(key string, now time.Duration) *entry {
	e := m.entries[key]
	if e == nil || now < e.ends {
		return e
	}
	m.remove(e)
	return nil
}

// begin starts a call that writes. It drops a few entries that have ended: as a call adds hardly more, none stay long.
func (m *Memory) begin() time.Duration {
	m.batch++
	now := m.elapsed()
	for q := range m.queues {
		for range 2 {
			if e := m.queues[q].first(); e != nil && e.ends <= now {
				m.remove(e)
			}
		}
	}
	return now
}

// add makes an entry for a key that has none; file completes it.
func (m *Memory) add(key string, now time.Duration) (*entry, error) {
	if len(m.entries) >= m.max {
		e := m.leastWanted(now)
		if e == nil {
			return nil, ErrFull
		}
		m.remove(e)
	}
	e := &entry{key: key, index: -1}
	m.entries[key] = e
	return e, nil
}

func (m *Memory) leastWanted(now time.Duration) *entry {
	for q := range m.queues {
		if e := m.queues[q].first(); e != nil && e.ends <= now {
			return e
		}
	}
	if e := m.queues[copies].first(); e != nil {
		return e
	}
	// A take of this very call must not be dropped for its next one: it was answered as counted.
	if e := m.queues[counters].first(); e != nil && e.batch != m.batch && len(m.queues[locks]) <= m.max/2 {
		return e
	}
	return nil
}

// file puts an entry into the place that its kind and end give it.
func (m *Memory) file(e *entry, q queueID, ends time.Duration) {
	e.ends = ends
	if e.index >= 0 && e.queue == q {
		heap.Fix(&m.queues[q], e.index)
		return
	}
	if e.index >= 0 {
		heap.Remove(&m.queues[e.queue], e.index)
	}
	e.queue = q
	heap.Push(&m.queues[q], e)
}

func (m *Memory) remove(e *entry) {
	heap.Remove(&m.queues[e.queue], e.index)
	delete(m.entries, e.key)
}

// queue is a heap: the entry that ends next comes first.
type queue []*entry

func (q queue) first() *entry {
	if len(q) == 0 {
		return nil
	}
	return q[0]
}

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].ends < q[j].ends }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.index = -1
	return e
}
