package revocations_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster/internal/revocations"
)

func TestAge(t *testing.T) {
	now := time.Now()
	for name, x := range map[string]struct {
		now, moment time.Time
		want        time.Duration
	}{
		"by the same clock":       {now.Add(time.Second), now, time.Second},
		"now":                     {now, now, 0},
		"by calendars":            {now.Round(0).Add(time.Minute), now.Round(0), time.Minute},
		"the calendar set back":   {now.Round(0).Add(-time.Second), now, revocations.Never},
		"a moment that is to be":  {now, now.Add(time.Nanosecond), revocations.Never},
		"longer than can be told": {now, time.Time{}, revocations.Never},
	} {
		if got := revocations.Age(x.now, x.moment); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
}
