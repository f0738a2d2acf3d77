package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// TryScope is what wrong codes are counted by, whatever code is out.
type TryScope struct {
	Key  string
	User *roster.ID // whose it is: forgotten with the user; nil for nobody's
}

// CodeScope is the scope of the codes of a user for a purpose.
func CodeScope(user roster.ID, purpose LinkPurpose) TryScope {
	return TryScope{Key: user.String() + "/" + string(purpose), User: &user}
}

// Wait is the time before a scope may be tried again; the zero one when it may be now.
type Wait struct {
	Until    time.Time
	Failures int // that led to it
}

// IsZero reports whether there is nothing to wait for.
func (w Wait) IsZero() bool { return w.Until.IsZero() }

// waits are the waits after failures: 1 s, doubled each time, 15 min at most.
var waits = []time.Duration{
	1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second,
	128 * time.Second, 256 * time.Second, 512 * time.Second, 900 * time.Second,
}

// keepTries is how long after the last one failures are remembered.
const keepTries = 24 * time.Hour

// TakeTry counts a failure of a scope, before the code is judged, and begins the wait that follows on it. During a wait
// it counts nothing, and returns it.
func (s *Store) TakeTry(ctx context.Context, scope TryScope, now time.Time) (Wait, error) {
	n, err := s.exec(ctx, countTry+" WHERE t.waits_at <= $3", tryArgs(scope, now)...)
	if err != nil || n > 0 {
		return Wait{}, err
	}
	var w Wait
	err = s.row(ctx, "SELECT waits_at, failures FROM {tries} WHERE scope = $1", []any{scope.Key}, &w.Until, &w.Failures)
	if errors.Is(err, roster.ErrNotFound) {
		return Wait{Until: now.Add(time.Second), Failures: 1}, nil // the right code came meanwhile
	}
	utc(&w.Until)
	return w, err
}

// countAgain counts a failure whose transaction was rolled back, though others may wait by now.
func (s *Store) countAgain(ctx context.Context, scope TryScope, now time.Time) error {
	_, err := s.exec(ctx, countTry, tryArgs(scope, now)...)
	return err
}

// firstWait is the number of the first wait in the values of countTry.
const firstWait = 5

func tryArgs(scope TryScope, now time.Time) []any {
	args := []any{scope.Key, scope.User, now, now.Add(keepTries)}
	for _, w := range waits {
		args = append(args, now.Add(w))
	}
	return args
}

var countTry = `
	INSERT INTO {tries} AS t (scope, user_id, failures, waits_at, ends_at) VALUES ($1, $2, 1, ` + typed(firstWait) + `, $4)
	ON CONFLICT (scope) DO UPDATE SET
		failures = CASE WHEN t.ends_at <= $3 THEN 1 ELSE t.failures + 1 END,
		waits_at = ` + waitByFailures() + `,
		ends_at = excluded.ends_at`

// waitByFailures picks the end of the wait by how many failures there were before.
func waitByFailures() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CASE WHEN t.ends_at <= $3 THEN %s", typed(firstWait))
	for i := range len(waits) - 1 {
		fmt.Fprintf(&b, " WHEN t.failures = %d THEN %s", i, typed(firstWait+i))
	}
	fmt.Fprintf(&b, " ELSE %s END", typed(firstWait+len(waits)-1))
	return b.String()
}

func typed(n int) string { return fmt.Sprintf("cast($%d AS timestamptz)", n) }

// ForgetTries forgets the failures of a scope: the right code came.
func (s *Store) ForgetTries(ctx context.Context, scope TryScope) error {
	_, err := s.exec(ctx, "DELETE FROM {tries} WHERE scope = $1", scope.Key)
	return err
}
