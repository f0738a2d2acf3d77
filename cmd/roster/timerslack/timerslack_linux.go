package timerslack

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// In nanoseconds.
const (
	byDefault = 50_000
	wanted    = 1_000_000
)

// started is the name of the variable that says that the program was started once more. Where a slack is lost by that, it
// would else start for ever.
const started = "ROSTER_STARTED_WITH_TIMER_SLACK"

func init() {
	if slices.Contains(os.Args, "serve") {
		coarsen()
	}
}

// coarsen does not return where it starts the program once more. Where it cannot, the program goes on as it is.
func coarsen() {
	if os.Getenv(started) != "" {
		_ = os.Unsetenv(started)
		return
	}
	self, err := os.Executable()
	if err != nil || slack() != byDefault || unix.Prctl(unix.PR_SET_TIMERSLACK, wanted, 0, 0, 0) != nil {
		return
	}
	_ = unix.Exec(self, os.Args, append(os.Environ(), started+"=1"))
}

// slack is that of this thread.
func slack() int {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return ns
}
