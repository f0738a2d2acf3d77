package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// measureRows measures what is wanted and prints it.
func (b *bench) measureRows(ctx context.Context) error {
	b.header()
	s, err := b.stage(ctx, min(b.users, manyUsers))
	if err != nil {
		return err
	}
	contests, err := b.contests(ctx, s)
	if err != nil {
		return err
	}
	if err := b.holdAll(ctx, "floor", contests); err != nil {
		return err
	}
	if b.wants(10) {
		if err := b.sizes(ctx); err != nil {
			return err
		}
	}
	findings, err := b.findings(ctx, s)
	if err != nil {
		return err
	}
	printFindings(os.Stdout, findings)
	for _, note := range b.notes {
		fmt.Println("\n" + note)
	}
	fmt.Printf("\nLoad average at the end: %s.\n", loadAverage())
	return nil
}

// contests are the rows that have a floor.
func (b *bench) contests(ctx context.Context, s *stage) ([]contest, error) {
	on := func(server *server, w work) side { return side{server, s.database, w} }
	both := func(w work) (base, ours side) { return on(s.floor, w), on(s.roster, w) }
	var list []contest
	add := func(row int, name string, base, ours side, hashes bool, g goal) {
		if b.wants(row) {
			list = append(list, contest{fmt.Sprint(row), name, base, ours, hashes, g})
		}
	}
	if b.wants(1) {
		embed, err := b.startOwn(ctx, "embed", s.database)
		if err != nil {
			return nil, err
		}
		add(1, "guarded route", on(s.floor, s.guard()), on(embed, s.guard()), false, goal{rate: 0.85})
	}
	base, ours := both(s.me())
	add(2, "`GET /me`", base, ours, false, goal{rate: 0.90, statements: 1})

	raw := on(s.floor, s.login(http.StatusOK, password))
	hash := func(statements float64) goal { return goal{rate: 0.95, p50: 1.05, statements: statements, trips: 2} }
	add(3, "`POST /login`", raw, on(s.roster, s.login(http.StatusOK, password)), true, hash(5))
	add(4, "… wrong password", raw, on(s.roster, s.login(http.StatusUnauthorized, wrongPassword)), true, hash(3))
	add(4, "… no such user", raw, on(s.roster, s.nobody()), true, hash(3))
	base, ours = both(s.register())
	add(5, "`POST /register`", base, ours, true, hash(6))

	add(7, "`POST /token/refresh`", on(s.floor, refresh(s.floorTokens)), on(s.roster, refresh(s.refreshTokens())), false,
		goal{rate: 0.80, statements: 2})
	base, ours = both(s.list(""))
	add(8, "list of 50", base, ours, false, goal{rate: 0.80, statements: 1})
	base, ours = both(s.prefix())
	add(9, "search, prefix", base, ours, false, goal{rate: 0.80, statements: 1})
	base, ours = both(s.part())
	add(9, "search, substring", base, ours, false, goal{rate: 0.80, statements: 1})
	if b.wants(11) {
		embed, err := b.startOwn(ctx, "embed", s.database, "-redis="+b.redis.address)
		if err != nil {
			return nil, err
		}
		for _, x := range []struct{ name, what string }{{"`IsBruteforce`", "attempt"}, {"quota", "quota"}, {"code, none is out", "code"}} {
			w := s.count(x.what)
			add(11, x.name, on(s.floor, w), on(embed, w), false, goal{rate: 0.80, statements: 1, trips: 1})
		}
	}
	return list, nil
}

func (b *bench) holdAll(ctx context.Context, base string, contests []contest) error {
	printHeader(os.Stdout, base)
	for _, c := range contests {
		results, err := b.hold(ctx, c)
		if err != nil {
			return err
		}
		for _, r := range results {
			printResult(os.Stdout, r)
		}
		if c.row == "5" {
			if err := b.forget(ctx, c.ours.database); err != nil {
				return err
			}
		}
	}
	return nil
}

// sizes compares Roster with itself on many times as many users.
func (b *bench) sizes(ctx context.Context) error {
	few, err := b.stage(ctx, fewUsers)
	if err != nil {
		return err
	}
	many, err := b.stage(ctx, b.users)
	if err != nil {
		return err
	}
	var deep [2]string
	for i, s := range []*stage{few, many} {
		if deep[i], err = s.deep(ctx); err != nil {
			return err
		}
	}
	var contests []contest
	add := func(name string, rate float64, fewer, more work) {
		contests = append(contests, contest{
			"10", name,
			side{few.roster, few.database, fewer},
			side{many.roster, many.database, more},
			false,
			goal{rate: rate, postgres: time.Millisecond},
		})
	}
	add("list, first page", 0.8, few.list(""), many.list(""))
	add("list, deep page", 0.8, few.list(deep[0]), many.list(deep[1]))
	add("search, prefix", 0.5, few.prefix(), many.prefix())
	add("search, substring", 0.5, few.part(), many.part())
	fmt.Printf("\n%d users against %d:\n\n", many.users, few.users)
	return b.holdAll(ctx, "few users", contests)
}
