package notify

import (
	"errors"
	"time"
)

// Failure is what an error means to the worker. The zero value is a temporary failure.
type Failure struct {
	// Permanent failures are not tried again.
	Permanent bool
	// Misconfigured failures concern all messages, such as a wrong password of the mail server. They are temporary,
	// and counted.
	Misconfigured bool
	// After is how long the other side wants to be left alone; 0 leaves it to the schedule.
	After time.Duration
}

// failureError is an error together with what it means.
type failureError struct {
	cause   error
	failure Failure
}

func (e *failureError) Error() string { return e.cause.Error() }
func (e *failureError) Unwrap() error { return e.cause }

// Permanent marks err as one that no repetition mends: an address that does not exist, a message that is refused.
// nil stays nil, as in all of these.
func Permanent(err error) error { return mark(err, Failure{Permanent: true}) }

// After marks err as temporary and asks for no try before wait is over. An hour is the longest wait.
func After(err error, wait time.Duration) error { return mark(err, Failure{After: wait}) }

// Misconfigured marks err as one that the operator has to mend. It is temporary: the messages are kept until then.
func Misconfigured(err error) error { return mark(err, Failure{Misconfigured: true}) }

func mark(err error, failure Failure) error {
	if err == nil {
		return nil
	}
	return &failureError{cause: err, failure: failure}
}

// Classify returns what err was marked as, by the outermost mark.
func Classify(err error) Failure {
	if e, ok := errors.AsType[*failureError](err); ok {
		return e.failure
	}
	return Failure{}
}
