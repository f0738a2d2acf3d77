//go:build linux

package timerslack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// helper is the name of the variable that makes the test's program one that says how it runs.
const helper = "ROSTER_TIMERSLACK_HELPER"

type state struct {
	PID, Slack int
	Monitor    int // the slack of Go's monitor thread; 0 where it may not be read
	Processors int
	Workers    []int // the slacks of threads that run goroutines
	Args       []string
	Started    string
}

func TestMain(m *testing.M) {
	if os.Getenv(helper) != "" {
		runtime.LockOSThread() // the first thread still: init has run on it
		text, _ := json.Marshal(state{
			os.Getpid(), slack(), slackOfMonitor(), runtime.GOMAXPROCS(0), slackOfWorkers(), os.Args[1:], os.Getenv(started),
		})
		fmt.Println(string(text))
		return
	}
	os.Exit(m.Run())
}

// slackOfMonitor is that of the thread that Go starts first. Another thread's slack is told to those with CAP_SYS_NICE.
func slackOfMonitor() int {
	var ids []int
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) < 2 {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(ids[1]), "timerslack_ns"))
	ns, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return ns
}

// slackOfWorkers is that of eight threads.
func slackOfWorkers() []int {
	found, done := make(chan int), make(chan struct{})
	defer close(done)
	var list []int
	for range 8 {
		go func() {
			runtime.LockOSThread() // the next goroutine is on another
			defer runtime.UnlockOSThread()
			found <- slack()
			<-done
		}()
		list = append(list, <-found)
	}
	return list
}

// startWith runs the helper, started with a slack, and returns what it says of itself and the process that was started.
func startWith(t *testing.T, slack uintptr, env []string, args ...string) (got state, pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), helper+"=1"), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // a process is started with the slack of the thread that starts it
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return got, cmd.Process.Pid
}

func TestMonitorRunsWithSlack(t *testing.T) {
	got, pid := startWith(t, byDefault, []string{"GOMAXPROCS=3"}, "serve", "--addr=:0")
	if got.PID != pid || got.Started != "" || got.Processors != 3 {
		t.Errorf("got %+v: want the process %d with 3 processors, and no trace in the environment", got, pid)
	}
	if got.Monitor != wanted && got.Monitor != 0 {
		t.Errorf("the monitor has a slack of %d ns: want %d", got.Monitor, wanted)
	}
	for i, ns := range append(got.Workers, got.Slack) {
		if ns != byDefault {
			t.Errorf("thread %d has a slack of %d ns: want %d", i, ns, byDefault)
		}
	}
	if len(got.Args) != 2 || got.Args[0] != "serve" || got.Args[1] != "--addr=:0" {
		t.Errorf("arguments %q", got.Args)
	}
}

func TestSlackIsLeft(t *testing.T) {
	for name, x := range map[string]struct {
		slack uintptr
		env   []string
		args  []string
	}{
		"chosen by who starts it":              {slack: 70_000, args: []string{"serve"}},
		"of other commands":                    {slack: byDefault, args: []string{"migrate"}},
		"when starting anew did not change it": {slack: byDefault, env: []string{started + "=1"}, args: []string{"serve"}},
		"whatever the variable says":           {slack: byDefault, env: []string{started + "="}, args: []string{"serve"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := startWith(t, x.slack, x.env, x.args...)
			if got.Slack != int(x.slack) || got.Started != "" {
				t.Errorf("got %+v: want a slack of %d ns", got, x.slack)
			}
		})
	}
}

func TestProcessorsAreLeft(t *testing.T) {
	got, _ := startWith(t, byDefault, nil, "serve")
	if want := runtime.GOMAXPROCS(0); got.Processors != want {
		t.Errorf("%d processors: want %d", got.Processors, want)
	}
}

// A program that may not start itself goes on with what it had.
func TestCannotStartAgain(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(slack uintptr) {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	set(byDefault)
	defer set(0)
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	coarsen(t.TempDir())
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil {
		t.Fatal(err)
	}
	if got := slack(); got != byDefault || after != before {
		t.Errorf("a slack of %d ns and %+v files: want %d and %+v", got, after, byDefault, before)
	}
}
