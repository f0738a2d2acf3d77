package revocations

import "time"

// Never is the age of what was not, or nobody knows when.
const Never = time.Duration(1<<63 - 1)

// Age is how long ago a moment was. A machine that slept is told by its calendar, since its other clock slept as well; the zero
// time is long ago. It is Never where the calendar was set back to before that moment.
func Age(now, moment time.Time) time.Duration {
	calendar := now.Round(0).Sub(moment.Round(0))
	if calendar < 0 {
		return Never
	}
	return max(calendar, now.Sub(moment))
}
