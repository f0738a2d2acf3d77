package notify

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"
)

// longestWait is the longest that passes between two tries, whatever the other side asks for.
const longestWait = time.Hour

// wait returns how long after its attempts-th try a message rests: the schedule, a fifth more or less so that
// messages that failed together do not come back together, but no less than the other side asked for.
func wait(attempts int, asked time.Duration) time.Duration {
	schedule := []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
		30 * time.Minute, longestWait,
	}
	step := schedule[min(max(attempts, 1), len(schedule))-1]
	step += time.Duration((random()*2 - 1) * float64(step) / 5)
	return max(step, min(asked, longestWait))
}

// random returns a number of at least 0 and below 1.
func random() float64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return float64(binary.LittleEndian.Uint32(b[:])) / (math.MaxUint32 + 1)
}
