package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// bench is one run, with the servers that it has started.
type bench struct {
	options
	dir      string
	postgres *postgres
	redis    *redisServer
	mails    mailHole
	running  []*server
	filled   map[string]bool // databases
	notes    []string        // what a reader of the table should know
}

// open starts what every row needs.
func (b *bench) open(ctx context.Context) error {
	var err error
	// Not TMPDIR: root's own may be closed to the user postgres.
	if b.dir, err = os.MkdirTemp("/tmp", "roster-bench-"); err != nil {
		return err
	}
	if b.redis, err = openRedis(ctx); err != nil {
		return err
	}
	if b.mails, err = openMailHole(); err != nil {
		return err
	}
	b.progress("building cmd/roster")
	if err = b.buildRoster(); err != nil {
		return err
	}
	b.postgres, err = startPostgres(ctx)
	return err
}

func (b *bench) close() {
	for _, s := range b.running {
		s.stop()
	}
	if b.postgres != nil {
		b.postgres.close()
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}

// progress tells whoever waits for the table.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  load %s  %s\n", time.Now().Format(time.TimeOnly), loadAverage(), fmt.Sprintf(format, args...))
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}
