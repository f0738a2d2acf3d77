package callbacks

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Func is a hook. E is a pointer to an event, such as *Create[U]: the compiler makes one code for all pointers.
type Func[E any] func(ctx context.Context, e E) error

// Point is where functions are added to the three phases of an event. Its zero value is ready. Adding and removing
// is safe while operations run: a running one keeps the functions that it began with.
type Point[E any] struct {
	Notice[E]
	before list[E]
}

// Before adds a function that runs in the transaction, before validation, after the program's own method: it may
// veto, and alter what the event says may be altered. Identifiers are as typed. The result takes it away again.
func (p *Point[E]) Before(fn Func[E]) (remove func()) { return p.before.add("Before", fn) }

// Notice is the point of an event that cannot be vetoed, because it tells what has happened already.
type Notice[E any] struct {
	after, on list[E]
}

// After adds a function that runs in the transaction, with the rows written, before the program's own method.
// The result takes it away again.
func (n *Notice[E]) After(fn Func[E]) (remove func()) { return n.after.add("After", fn) }

// On adds a function that runs after the commit, before the program's own method, within a time limit. The result
// takes it away again.
func (n *Notice[E]) On(fn Func[E]) (remove func()) { return n.on.add("On", fn) }

// list is a copy-on-write list of functions: readers take it whole and never wait.
type list[E any] struct {
	mu  sync.Mutex
	fns atomic.Pointer[[]*Func[E]]
}

func (l *list[E]) add(phase string, fn Func[E]) (remove func()) {
	if fn == nil {
		panic("callbacks: nil function added to " + phase + " of " + eventName[E]())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := &fn
	next := append(slices.Clone(l.load()), entry)
	l.fns.Store(&next)
	return func() { l.remove(entry) }
}

func (l *list[E]) remove(entry *Func[E]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(l.load()), func(f *Func[E]) bool { return f == entry })
	l.fns.Store(&next)
}

func (l *list[E]) load() []*Func[E] {
	if fns := l.fns.Load(); fns != nil {
		return *fns
	}
	return nil
}
