// Package storetest proves that a store behaves alike on every database and driver.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Database is an empty database under test.
type Database struct {
	DB     *sqlx.DB
	Config store.Config
	// Direct is a handle that goes past a pooler, for migrations; nil means DB.
	Direct *sqlx.DB
	// Again opens one more handle on the same database; nil where a database has one connection only.
	Again func(t *testing.T) *sqlx.DB
}

// part is a part of the suite.
type part struct {
	name string
	test func(*suite, *testing.T)
}

// groups are parts that share a database, in an order in which they do not disturb each other.
var groups = map[string][]part{
	"users": {
		{"state", (*suite).testState},
		{"users", (*suite).testUsers},
		{"holds", (*suite).testHolds},
		{"password", (*suite).testPassword},
		{"social", (*suite).testSocial},
		{"key", (*suite).testKey},
	},
	"sessions": {
		{"session", (*suite).testSession},
		{"confirm", (*suite).testConfirm},
		{"code", (*suite).testCode},
		{"otp", (*suite).testOTP},
		{"change", (*suite).testChange},
		{"delete", (*suite).testDelete},
		{"management", (*suite).testManagement},
		{"audit", (*suite).testAudit},
		{"rotation", (*suite).testRotation},
		{"revocations", (*suite).testRevocations},
	},
	"enter": {{"enter", (*suite).testEnter}, {"enrol", (*suite).testEnrol}},
	"outbox": {
		{"message", (*suite).testMessage},
		{"clean", (*suite).testClean},
	},
	"protection": {
		{"devices", (*suite).testDevices},
		{"failures", (*suite).testFailures},
		{"lockouts", (*suite).testLockouts},
	},
	"search":   {{"search", (*suite).testSearch}},
	"filters":  {{"filters", (*suite).testFilters}},
	"paging":   {{"paging", (*suite).testPaging}},
	"parallel": {{"parallel", (*suite).testParallel}},
	"transactions": {
		{"tx", (*suite).testTx},
		{"savepoint", (*suite).testSavepoint},
		{"aside", (*suite).testAside},
	},
	"table": {
		{"check", (*suite).testCheck},
		{"together", (*suite).testTogether},
		{"values", (*suite).testValues},
		{"failure", (*suite).testFailure},
	},
}

// Run tests a store on databases that open makes: a few, side by side.
func Run(t *testing.T, open func(t *testing.T) Database) {
	for name, parts := range groups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, open(t))
			for _, p := range parts {
				t.Run(p.name, func(t *testing.T) { p.test(s, t) })
			}
		})
	}
}

// suite is a store on a migrated database.
type suite struct {
	*store.Store
	Database
	now      time.Time
	reported *reports
}

func newSuite(t *testing.T, d Database) *suite {
	t.Helper()
	if d.Direct == nil {
		d.Direct = d.DB
	}
	s := &suite{Database: d, now: time.Date(2026, 3, 4, 5, 6, 7, 891_234_000, time.UTC), reported: &reports{}}
	dialect, err := store.Probe(t.Context(), d.Direct)
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	migrator, err := store.NewMigrator(d.Direct, dialect, d.Config, time.Now)
	if err != nil {
		t.Fatalf("migrator: %v", err)
	}
	if _, err := migrator.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	direct := s.open(t, d.Direct, Columns())
	if err := direct.AddColumns(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Store = s.open(t, d.DB, Columns())
	return s
}

// queuedTimeout bounds what was queued by OnCommit.
const queuedTimeout = 300 * time.Millisecond

// open opens a store on a handle.
func (s *suite) open(t *testing.T, db *sqlx.DB, columns []store.Column) *store.Store {
	t.Helper()
	dialect, err := store.Probe(t.Context(), db)
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	x, err := store.New(db, dialect, s.Config, columns, store.CommitHooks{Timeout: queuedTimeout, Report: s.reported.add})
	if err != nil {
		t.Fatalf("new store: %v", err)
	}
	t.Cleanup(func() { noError(t, x.Close()) })
	return x
}

// another opens a store on a handle of its own with settings of its own.
func (s *suite) another(t *testing.T, connections int, change func(*store.Config)) *store.Store {
	t.Helper()
	x, db := *s, s.DB
	if s.Again != nil {
		db = s.Again(t)
		db.SetMaxOpenConns(connections)
	}
	change(&x.Config)
	return x.open(t, db, Columns())
}

// sql runs a statement past the store; %s in it are names of tables.
func (s *suite) sql(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := s.Direct.ExecContext(t.Context(), fmt.Sprintf(format, args...)); err != nil {
		t.Fatal(err)
	}
}

// table is one of Roster's own tables, as statements name it.
func (s *suite) table(name string) string {
	prefix := s.Config.Prefix
	if prefix == "" {
		prefix = "roster_"
	}
	if s.Config.Schema != "" {
		return `"` + s.Config.Schema + `"."` + prefix + name + `"`
	}
	return `"` + prefix + name + `"`
}

// count returns how many rows a condition finds.
func (s *suite) count(t *testing.T, table, where string, args ...any) int {
	t.Helper()
	var n int
	if err := s.Direct.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE "+where, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// account returns a user who is not stored, with an e-mail address of its own.
func (s *suite) account() *account {
	id := newID()
	return &account{
		User: roster.User{
			ID: id, Email: new("U" + id.String() + "@Example.com"), Permissions: roster.Permissions{},
			CreatedAt: s.now, UpdatedAt: s.now, Version: 1,
		},
	}
}

// user stores a user.
func (s *suite) user(t *testing.T, change ...func(*account)) *account {
	t.Helper()
	a := s.account()
	for _, f := range change {
		f(a)
	}
	noError(t, s.insert(t.Context(), a))
	return a
}

func (s *suite) insert(ctx context.Context, a *account) error {
	return s.InsertUser(ctx, a.ID, a.values(), a.derived(), store.Holds{Now: s.now, Hashes: [][]byte{hashOf(a.Username)}}, nil)
}

func (s *suite) get(t *testing.T, id roster.ID) *account {
	t.Helper()
	a := &account{}
	noError(t, s.GetUser(t.Context(), store.ByID, id, a.dest()))
	return a.utc()
}

func (s *suite) exists(t *testing.T, id roster.ID) bool {
	t.Helper()
	return s.count(t, s.UsersTable(), "id = $1", id) == 1
}

// newID returns an id that grows with each call, as those of users do.
func newID() roster.ID { return uuid.Must(uuid.NewV7()) }

// hashOf stands for the keyed hash of a username.
func hashOf(username *string) []byte {
	if username == nil {
		return nil
	}
	return []byte("hash of " + strings.ToLower(*username))
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v", err)
	}
}

// same compares two values; times by their instant, and empty lists with none.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// fails asks that an error is one of Roster's, with these faults of fields and no others.
func fails(t *testing.T, err error, want *roster.Error, fields ...string) {
	t.Helper()
	e, ok := asError(err)
	if !ok || e.Code != want.Code {
		t.Fatalf("got error %v, want %s", err, want.Code)
	}
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.String())
	}
	same(t, "fields", got, fields)
}

// inUTC asks that a time is in UTC, not only the same instant.
func inUTC(t *testing.T, at time.Time) {
	t.Helper()
	if at.Location() != time.UTC {
		t.Errorf("the time is in %s", at.Location())
	}
}

// hasLength is same for what goes on with the elements of a list.
func hasLength(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %d, want %d", what, got, want)
	}
}
