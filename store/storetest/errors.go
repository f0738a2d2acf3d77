package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/roster-go/roster"
)

// reports keeps what the store reports of functions that nobody waits for.
type reports struct {
	mu   sync.Mutex
	errs []error
}

func (r *reports) add(_ context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// take returns what was reported since it was last asked.
func (r *reports) take() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs
	r.errs = nil
	return errs
}

func asError(err error) (*roster.Error, bool) {
	e := (*roster.Error)(nil)
	return e, errors.As(err, &e)
}
