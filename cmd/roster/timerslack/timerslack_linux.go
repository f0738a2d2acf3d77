package timerslack

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// In nanoseconds.
const (
	byDefault = 50_000
	wanted    = 5_000_000 // of the monitor
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
		if slack() == wanted {
			spareOthers()
		}
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
	refine()
}

// spareOthers gives every thread but the monitor the default back. A thread can do that for itself alone, and hands what it has on to
// those that it starts. Each goroutine keeps its thread, so that the next one runs on another.
//
// The monitor starts threads too, where system calls block and none is idle: as many are made here as a server mostly has.
func spareOthers() {
	const idle = 2         // threads that run no goroutine: the monitor, and one that starts others in place of threads that are kept
	refine()               // the first: init runs on it
	runtime.LockOSThread() // starts the other one from here
	runtime.UnlockOSThread()
	// With a second processor Go would start a thread to look for work each time.
	processors := runtime.GOMAXPROCS(1)
	defer useProcessors(processors)
	enough := min(6+2*processors, 64)
	most := 2 * enough
	refined := map[int]bool{unix.Gettid(): true}
	done := make(chan struct{})
	var visits sync.WaitGroup
	var visit func()
	visit = func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		refine()
		refined[unix.Gettid()] = true
		if n := len(refined); n < enough || n < most && countOthers(refined) > idle {
			visits.Go(visit)
			<-done
			return
		}
		close(done)
	}
	visits.Go(visit)
	visits.Wait()
}

// useProcessors sets GOMAXPROCS to what it was: Go adapts its own choice to the machine as long as nobody has made another.
func useProcessors(n int) {
	if chosen, err := strconv.Atoi(os.Getenv("GOMAXPROCS")); err == nil && chosen > 0 {
		runtime.GOMAXPROCS(n)
		return
	}
	runtime.SetDefaultGOMAXPROCS()
}

// refine gives this thread the default.
func refine() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, byDefault, 0, 0, 0) }

// countOthers returns how many threads there are beside known ones; 0 where that is not told.
func countOthers(known map[int]bool) int {
	n := 0
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil && !known[id] {
			n++
		}
	}
	return n
}

// slack is that of this thread.
func slack() int {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return ns
}
