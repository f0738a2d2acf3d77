package cache

// Len is the number of entries that are held, those that have ended but were not dropped yet included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}
