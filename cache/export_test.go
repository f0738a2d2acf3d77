package cache

import "time"

// PutOffFor sets how long deletes wait for a call that takes them along.
func (r *Redis) PutOffFor(d time.Duration) { r.later.within = d }

// MostDeletes is how many wait at most.
const MostDeletes = mostDeletes

// Len is the number of entries that are held, those that have ended but were not dropped yet included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}
