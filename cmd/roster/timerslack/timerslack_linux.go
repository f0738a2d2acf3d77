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
	if len(os.Args) > 0 && slices.Contains(os.Args[1:], "serve") { // flags may come before it
		if self, err := os.Executable(); err == nil {
			coarsen(self)
		}
	}
}

// coarsen starts the program once more and does not return then. Where it cannot, the program goes on as it was.
func coarsen(self string) {
	if _, again := os.LookupEnv(started); again {
		_ = os.Unsetenv(started)
		return
	}
	if slack() != byDefault || unix.Prctl(unix.PR_SET_TIMERSLACK, wanted, 0, 0, 0) != nil {
		return
	}
	var files unix.Rlimit
	known := unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil
	_ = unix.Exec(self, os.Args, append(os.Environ(), started+"=1"))
	if known {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &files) // Exec has taken back what Go raised it to
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, byDefault, 0, 0, 0)
}

// slack is that of this thread.
func slack() int {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return ns
}
