package main

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/internal/servers"
)

// postgres is a server of the benchmark's own. Unlike that of scripts/servers it syncs: the commit is part of the work.
type postgres struct {
	*servers.Postgres
	admin *sqlx.DB // on the database postgres, where the counters are read
}

func startPostgres(ctx context.Context) (*postgres, error) {
	server, err := servers.StartPostgres(ctx,
		"fsync=on", "synchronous_commit=on", "full_page_writes=on",
		"shared_buffers=512MB", "maintenance_work_mem=512MB", "max_wal_size=4GB", "checkpoint_timeout=15min",
		"max_connections=200", "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_utility=on",
	)
	if err != nil {
		return nil, err
	}
	p := &postgres{Postgres: server}
	if p.admin, err = server.Open("postgres"); err == nil {
		_, err = p.admin.ExecContext(ctx, "CREATE EXTENSION pg_stat_statements")
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// close ends the server without waiting for its clients.
func (p *postgres) close() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	p.Close()
}

// cpu is what the server has spent: its living processes, and those that it has seen end.
func (p *postgres) cpu() time.Duration {
	pid := p.PID()
	total := cpuOf(pid) + cpuOfEnded(pid)
	for _, child := range childrenOf(pid) {
		total += cpuOf(child)
	}
	return total
}
