package store

import (
	"context"
	"errors"
	"sync"

	"github.com/jmoiron/sqlx"
)

// statements keeps the prepared form of statements, once for the pool.
type statements struct {
	db     *sqlx.DB
	names  names
	pooled bool

	ready sync.Map // template -> *statement

	mu     sync.Mutex
	count  int
	wanted map[string]struct{} // seen in a transaction, not prepared yet
}

type statement struct {
	text     string
	prepared *sqlx.Stmt // nil: the text is run as it is
}

// maxStatements bounds what is kept: statements whose text depends on a query or a patch could be many.
const maxStatements = 500

// get returns the statement of a template. Preparing needs a connection of the pool, which a transaction must not
// wait for: what is first seen in one is prepared before a later one begins.
func (s *statements) get(ctx context.Context, template string, inTx bool) (*statement, error) {
	if found, ok := s.ready.Load(template); ok {
		return found.(*statement), nil
	}
	fresh := &statement{text: s.names.fill(template)}
	s.mu.Lock()
	full := s.count+len(s.wanted) >= maxStatements
	if inTx && !full {
		s.wanted[template] = struct{}{}
	}
	s.mu.Unlock()
	if inTx || full {
		return fresh, nil
	}
	return s.prepare(ctx, template, fresh)
}

func (s *statements) prepare(ctx context.Context, template string, fresh *statement) (*statement, error) {
	if !s.pooled {
		prepared, err := s.db.PreparexContext(ctx, fresh.text)
		if err != nil {
			return nil, err
		}
		fresh.prepared = prepared
	}
	if first, raced := s.ready.LoadOrStore(template, fresh); raced {
		if fresh.prepared != nil {
			_ = fresh.prepared.Close()
		}
		return first.(*statement), nil
	}
	s.mu.Lock()
	s.count++
	s.mu.Unlock()
	return fresh, nil
}

// prepareWanted prepares what transactions have asked for; it is called before one begins.
func (s *statements) prepareWanted(ctx context.Context) {
	s.mu.Lock()
	wanted := s.wanted
	if len(wanted) == 0 {
		s.mu.Unlock()
		return
	}
	s.wanted = map[string]struct{}{}
	s.mu.Unlock()
	for template := range wanted {
		if _, err := s.prepare(ctx, template, &statement{text: s.names.fill(template)}); err != nil {
			return // it goes on unprepared, and is asked for again
		}
	}
}

// forget gives up a prepared statement, and reports whether there was one: the next caller prepares it anew.
func (s *statements) forget(template string) bool {
	prepared := s.take(template)
	if prepared == nil {
		return false
	}
	_ = prepared.Close()
	return true
}

// take removes a statement and returns its prepared form, if it has one.
func (s *statements) take(template string) *sqlx.Stmt {
	found, ok := s.ready.LoadAndDelete(template)
	if !ok {
		return nil
	}
	s.mu.Lock()
	s.count--
	s.mu.Unlock()
	return found.(*statement).prepared
}

func (s *statements) close() error {
	var errs []error
	s.ready.Range(func(template, _ any) bool {
		if prepared := s.take(template.(string)); prepared != nil {
			errs = append(errs, prepared.Close())
		}
		return true
	})
	return errors.Join(errs...)
}
