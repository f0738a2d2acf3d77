package routes

import (
	"testing"

	"github.com/roster-go/roster"
)

// nobody is a repo of which nothing is asked but this.
type nobody struct{ UserRepo[*roster.User] }

func (nobody) ConcealsRegistration() bool { return false }

// Each endpoint for users has a limit that somebody has thought of, also where it is 60, and no limit is of an
// endpoint that there is not.
func TestLimitsNameEachEndpoint(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	for name := range limits {
		left[name] = true
	}
	for _, e := range append(userEndpoints(nobody{}, nil), documentEndpoint(nil)) {
		if _, ok := limits[e.name]; !ok {
			t.Errorf("limits has none for %s", e.name)
		}
		delete(left, e.name)
	}
	for name := range left {
		t.Errorf("limits has one for %s, which is no endpoint for users", name)
	}
}
