package store_test

import (
	"flag"
	"net/url"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/store/storetest"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(migrateVariable); address != "" {
		os.Exit(migrateProcess(address)) // one of ten
	}
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	for name, value := range map[string]string{
		"rapid.checks":     "10", // each asks a database, and every kind of database draws its own
		"rapid.nofailfile": "true",
		"test.parallel":    "8", // most tests wait, for a server or for each other
	} {
		if !set[name] {
			_ = flag.Set(name, value)
		}
	}
	os.Exit(m.Run())
}

// TestStore runs the suite on each database and driver (STORE-1). Its parts are named here by the rules that they prove.
//
//	users      STORE-3, STORE-13, STORE-16 (columns, times), USER-23, USER-38
//	holds      NAME-10
//	parallel   STORE-6, STORE-7, STORE-8, STORE-14 (cases 2, 8, 24), USER-21, USER-30
//	search     USER-57, USER-58, USER-64, USER-65
//	filters    USER-58, USER-59
//	paging     USER-60, USER-62
//	social     USER-26, USER-52, USER-54, USER-55
//	session    SESS-28
//	enter      ACCT-28
//	rotation   STORE-3, STORE-8
//	confirm    STORE-8
//	message    MAIL-1
//	delete     USER-66, USER-69
//	clean      STORE-20 (case 27)
//	tx         STORE-5, STORE-9, STORE-12, HOOK-29, HOOK-30, HOOK-31, HOOK-33, HOOK-34, HOOK-36
//	savepoint  HOOK-33
//	aside      STORE-10, HOOK-28 (case 7)
//	failure    STORE-6 (case 3), USER-37
//	together   ADMIN-72
//	values     STORE-4, STORE-13, STORE-18
//	check      STORE-30, USER-41
func TestStore(t *testing.T) {
	kinds := map[string]func(t *testing.T) storetest.Database{
		"SQLite in a file":     sqliteFile,
		"PostgreSQL by lib/pq": postgres(openPQ, store.Config{}),
	}
	if !testing.Short() {
		kinds["SQLite in memory"] = sqliteMemory
		kinds["PostgreSQL, pooled"] = postgres(openPQ, store.Config{Pooled: true, Prefix: "P_", UsersTable: "People"})
		kinds["PostgreSQL by pgx"] = postgres(openPgx, store.Config{})
	}
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, open)
		})
	}
}

func sqliteFile(t *testing.T) storetest.Database {
	address := rostertest.Address(t, rostertest.SQLite)
	return storetest.Database{
		DB: openAddress(t, address), Config: patient,
		Again: func(t *testing.T) *sqlx.DB { return openAddress(t, address) },
	}
}

func sqliteMemory(t *testing.T) storetest.Database {
	return storetest.Database{DB: openAddress(t, "sqlite::memory:"), Config: patient}
}

// patient is for SQLite, on whose one writer many tests of a busy machine wait.
var patient = store.Config{Timeout: time.Minute, LockTimeout: time.Minute}

type opener func(t testing.TB, address string) *sqlx.DB

func postgres(open opener, cfg store.Config) func(t *testing.T) storetest.Database {
	return func(t *testing.T) storetest.Database {
		address := rostertest.Address(t, rostertest.PostgreSQL)
		return storetest.Database{
			DB: open(t, address), Config: cfg,
			Again: func(t *testing.T) *sqlx.DB { return open(t, address) },
		}
	}
}

func openPQ(t testing.TB, address string) *sqlx.DB { return openAddress(t, address) }

// openPgx opens the address of lib/pq by pgx's driver for database/sql.
func openPgx(t testing.TB, address string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("pgx", without(t, address, "binary_parameters"))
	return opened(t, db, err)
}

func openAddress(t testing.TB, address string) *sqlx.DB {
	t.Helper()
	db, err := store.Open(address)
	return opened(t, db, err)
}

func opened(t testing.TB, db *sqlx.DB, err error) *sqlx.DB {
	t.Helper()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// without is an address without a parameter.
func without(t testing.TB, address, parameter string) string {
	t.Helper()
	return changed(t, address, func(q url.Values) { q.Del(parameter) })
}

func changed(t testing.TB, address string, change func(q url.Values)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}
