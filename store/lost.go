package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// patience is how long a connection may take to tell that a statement was cancelled. Then it is given up.
const patience = time.Second

// connectTime bounds the making of a connection, unless the address has connect_timeout; in seconds.
const connectTime = "5"

// prompt opens connections of lib/pq that end with what they are asked for. lib/pq by itself
//
//   - waits for an answer when the time of a statement is over, and for ever where bytes vanish without a word, as behind
//     a router that has forgotten the connection or a server that has lost its power,
//   - lets database/sql send a statement a second time after the connection was lost, though it may have been done.
type prompt struct {
	*pq.Connector
	lost atomic.Int64 // how many connections were given up by now
}

// Connect implements driver.Connector.
func (p *prompt) Connect(ctx context.Context) (driver.Conn, error) {
	own, line := *p.Connector, &line{onCut: func() { p.lost.Add(1) }}
	own.Dialer(line)
	over := line.watch(ctx, 0)
	lost := p.lost.Load()
	conn, err := own.Connect(ctx)
	over()
	if err != nil {
		return nil, err
	}
	known, ok := conn.(pqConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("a connection of lib/pq cannot do what it could: %T", conn)
	}
	line.connected.Store(true)
	if line.gone.Load() { // its time ended just now
		_ = conn.Close()
		return nil, driver.ErrBadConn
	}
	return &promptConn{known, line, &p.lost, lost}, nil
}

// line is the network connection under a connection.
type line struct {
	connected, gone atomic.Bool
	onCut           func()

	mu   sync.Mutex
	conn net.Conn
}

// Dial implements pq.Dialer.
func (l *line) Dial(network, address string) (net.Conn, error) {
	return l.DialContext(context.Background(), network, address)
}

// DialTimeout implements pq.Dialer.
func (l *line) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return l.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext. What is dialled after the first connection stands asks the server to cancel.
func (l *line) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if l.connected.Load() {
		inner, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(inner, network, address)
		if err == nil {
			time.AfterFunc(patience, func() { _ = conn.Close() })
		}
		return conn, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn = conn; l.gone.Load() {
		_ = conn.Close()
	}
	return conn, nil
}

// watch gives the connection up so long after the end of ctx, unless it is told before that the work is done.
func (l *line) watch(ctx context.Context, wait time.Duration) (done func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over, isOver := make(chan struct{}), false // the latter guarded by mu: nothing is cut that somebody else may have by now
	unwatch := context.AfterFunc(ctx, func() {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-over:
		case <-late.C:
			l.mu.Lock()
			defer l.mu.Unlock()
			if !isOver {
				l.cut()
			}
		}
	})
	return sync.OnceFunc(func() {
		unwatch()
		l.mu.Lock()
		isOver = true
		l.mu.Unlock()
		close(over)
	})
}

// cut gives the connection up. The caller holds mu.
func (l *line) cut() {
	if l.gone.Swap(true) {
		return
	}
	if l.conn != nil {
		_ = l.conn.Close()
	}
	if l.connected.Load() {
		l.onCut()
	}
}

// pqConn is what a connection of lib/pq can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type promptConn struct {
	pqConn
	line *line
	lost *atomic.Int64
	seen int64 // of lost, when this connection was last known to be good
}

// ResetSession implements driver.SessionResetter: before a connection of the pool is used again. One whose other end has
// gone is found out here, where another can take its place; and so is one that rested while another was lost in silence.
func (c *promptConn) ResetSession(ctx context.Context) error {
	if c.seen != c.lost.Load() || c.line.gone.Load() || hungUp(c.line.conn) {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// IsValid implements driver.Validator: before a connection goes back to the pool.
func (c *promptConn) IsValid() bool {
	c.seen = c.lost.Load()
	return !c.line.gone.Load() && c.pqConn.IsValid()
}

// unanswered says of a statement that was sent that nobody knows whether it was done. driver.ErrBadConn would make
// database/sql send it again.
func (c *promptConn) unanswered(sound bool, err error) error {
	if sound && errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("the connection was lost before the answer: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func (c *promptConn) sound() bool { return !c.line.gone.Load() && c.pqConn.IsValid() }

// ExecContext implements driver.ExecerContext.
func (c *promptConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	sound := c.sound()
	defer c.line.watch(ctx, patience)()
	result, err := c.pqConn.ExecContext(ctx, text, args)
	return result, c.unanswered(sound, err)
}

// QueryContext implements driver.QueryerContext.
func (c *promptConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, func() (driver.Rows, error) { return c.pqConn.QueryContext(ctx, text, args) })
}

func (c *promptConn) query(ctx context.Context, query func() (driver.Rows, error)) (driver.Rows, error) {
	sound, done := c.sound(), c.line.watch(ctx, patience)
	rows, err := query()
	if err != nil {
		done()
		return nil, c.unanswered(sound, err)
	}
	if known, ok := rows.(pqRows); ok {
		return promptRows{known, c, done}, nil
	}
	done()
	return rows, nil
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *promptConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	defer c.line.watch(ctx, patience)()
	stmt, err := c.pqConn.PrepareContext(ctx, text)
	if known, ok := stmt.(pqStmt); ok && err == nil {
		return promptStmt{known, c}, nil
	}
	return stmt, err
}

// Ping implements driver.Pinger.
func (c *promptConn) Ping(ctx context.Context) error {
	defer c.line.watch(ctx, patience)()
	return c.pqConn.Ping(ctx)
}

// BeginTx implements driver.ConnBeginTx.
func (c *promptConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	done := c.line.watch(ctx, patience)
	tx, err := c.pqConn.BeginTx(ctx, options)
	if err != nil {
		done()
		return nil, err
	}
	return promptTx{tx, done}, nil
}

type promptTx struct {
	driver.Tx
	done func()
}

// Commit implements driver.Tx.
func (t promptTx) Commit() error {
	defer t.done()
	return t.Tx.Commit()
}

// Rollback implements driver.Tx.
func (t promptTx) Rollback() error {
	defer t.done()
	return t.Tx.Rollback()
}

// pqStmt is what a prepared statement of lib/pq can do.
type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type promptStmt struct {
	pqStmt
	conn *promptConn
}

// ExecContext implements driver.StmtExecContext.
func (s promptStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	sound := s.conn.sound()
	defer s.conn.line.watch(ctx, patience)()
	result, err := s.pqStmt.ExecContext(ctx, args)
	return result, s.conn.unanswered(sound, err)
}

// QueryContext implements driver.StmtQueryContext.
func (s promptStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, func() (driver.Rows, error) { return s.pqStmt.QueryContext(ctx, args) })
}

// Close implements driver.Stmt: it asks the server, and nobody says for how long.
func (s promptStmt) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer s.conn.line.watch(ctx, 0)()
	return s.pqStmt.Close()
}

// pqRows is what rows of lib/pq can do.
type pqRows interface {
	driver.Rows
	driver.RowsNextResultSet
	driver.RowsColumnTypeScanType
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypePrecisionScale
}

type promptRows struct {
	pqRows
	conn *promptConn
	done func()
}

// Next implements driver.Rows. The first row may be long in coming: the statement was sent by then.
func (r promptRows) Next(dest []driver.Value) error {
	return r.conn.unanswered(true, r.pqRows.Next(dest))
}

// Close implements driver.Rows.
func (r promptRows) Close() error {
	defer r.done()
	return r.conn.unanswered(true, r.pqRows.Close())
}
