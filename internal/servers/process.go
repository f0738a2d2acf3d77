// Package servers starts servers of its own: for benchmarks that measure them, and for tests that kill them.
package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a server. It listens on a port of 127.0.0.1 and keeps what it has in a folder of its own.
type Process struct {
	// Port is the same after each start.
	Port int
	// Dir is the folder, and the working directory.
	Dir string

	args    []string
	isReady func(ctx context.Context) error
	cmd     *exec.Cmd
	ended   chan struct{}
}

// startTime is how long a server may take to answer.
const startTime = 30 * time.Second

// newDir makes a folder that a server's user may write in.
func newDir(name, owner string) (string, error) {
	// Not TMPDIR: root's own may be closed to the user.
	dir, err := os.MkdirTemp("/tmp", "roster-"+name+"-")
	if err == nil && owner != "" && os.Geteuid() == 0 {
		err = giveTo(owner, dir)
	}
	return dir, err
}

func giveTo(name string, paths ...string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, gid := 0, 0
	if _, err := fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid); err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// as is the beginning of a command that runs as a user where we are root. Where setpriv is to be had, the kernel ends the
// server even if this program is killed outright.
func as(name string) ([]string, error) {
	path, err := exec.LookPath("setpriv")
	if err != nil && os.Geteuid() == 0 && name != "" {
		return nil, fmt.Errorf("to run a server as %s: %w", name, err)
	}
	if err != nil {
		return []string{"env"}, nil
	}
	prefix := []string{path, "--pdeathsig", "INT"}
	if os.Geteuid() == 0 && name != "" {
		prefix = append(prefix, "--reuid", name, "--regid", name, "--init-groups")
	}
	return prefix, nil
}

// Start starts a server that was stopped or killed, and waits until it answers. What it said before is kept in its log.
func (p *Process) Start(ctx context.Context) error {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(p.args[0], p.args[1:]...) //nolint:gosec,noctx // all arguments are ours; its owner ends it
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.Dir, log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.ended = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd)
	if err := p.await(ctx); err != nil {
		p.Kill()
		text, _ := os.ReadFile(p.log())
		return fmt.Errorf("start %s: %w\n%s", filepath.Base(p.args[0]), err, bytes.TrimSpace(text))
	}
	return nil
}

func (p *Process) log() string { return filepath.Join(p.Dir, "log") }

func (p *Process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := p.isReady(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// PID is that of the server.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Host is its address: a host and a port.
func (p *Process) Host() string { return fmt.Sprintf("127.0.0.1:%d", p.Port) }

// Stop lets the server end in good order, and waits for that.
func (p *Process) Stop() { p.end(os.Interrupt) }

// Kill ends the server at once with all its processes, as a machine ends that loses its power.
func (p *Process) Kill() {
	_ = p.Freeze() // it makes no more of them
	for _, child := range p.children() {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	p.end(os.Kill)
}

// children are the processes that the server has started and not waited for.
func (p *Process) children() (list []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID(), p.PID())) // elsewhere they end by themselves
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

func (p *Process) end(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // a frozen one does not end
	<-p.ended
}

// Freeze lets the server do nothing more until Thaw. Its connections stay open, and nobody answers.
func (p *Process) Freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (p *Process) Thaw() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Close ends the server and removes its folder.
func (p *Process) Close() {
	if p.cmd != nil && p.cmd.Process != nil {
		p.Stop()
	}
	_ = os.RemoveAll(p.Dir)
}

// nextPort begins elsewhere in each program: several run at once.
var nextPort = func() *atomic.Uint32 { n := &atomic.Uint32{}; n.Store(rand.Uint32()); return n }()

// Ports are below 32768: those above are handed out to outgoing connections.
const (
	firstPort, ports = 26_000, 6_000
	// Those of servers that have a bus are elsewhere, and so are their buses, by so much: nobody else takes the port of a bus
	// between its choice and its use.
	firstBusPort, busPorts, toBus = 12_000, 4_000, 10_000
)

// FreePort is one of 127.0.0.1, from 26000 to 31999.
func FreePort() int {
	for {
		if port := firstPort + int(nextPort.Add(1)%ports); free(port) {
			return port
		}
	}
}

// busPort is a free port with another one 10,000 above it, by which the nodes of a cluster talk.
func busPort() int {
	for {
		if port := firstBusPort + int(nextPort.Add(1)%busPorts); free(port) && free(port+toBus) {
			return port
		}
	}
}

func free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it is closed at once
	if err == nil {
		_ = listener.Close()
	}
	return err == nil
}
