package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// side is one of two that do the same work.
type side struct {
	server   *server
	database string
	work     work
}

// contest is a row of the table: ours against a base, which is the floor or ours on a smaller database.
type contest struct {
	row, name  string
	base, ours side
	hashes     bool // it hashes passwords: the raw hash is the base, and the answers differ
	goal       goal
}

// goal is what a row of performance.md asks for. Zero values ask for nothing.
type goal struct {
	rate       float64       // ours ÷ base, at least
	p50        float64       // ours ÷ base at one worker, at most; rate counts for several then
	statements float64       // at most, for a request
	trips      float64       // likewise
	postgres   time.Duration // CPU time for a request, at most
}

// result is a line of the table.
type result struct {
	contest
	workers    int
	base, ours []sample
	counts     counts
}

// hold lets the two work in turns, so that both see the same weather.
func (b *bench) hold(ctx context.Context, c contest) ([]result, error) {
	if !c.hashes {
		if err := b.compare(ctx, c); err != nil {
			return nil, fmt.Errorf("row %s: %w", c.row, err)
		}
	}
	counts, err := b.count(ctx, c.ours.server, c.ours.database, c.ours.work(0))
	if err != nil {
		return nil, fmt.Errorf("row %s: %w", c.row, err)
	}
	var list []result
	for _, n := range []int{1, 16, workers} {
		r := result{contest: c, workers: n, counts: counts}
		turns, err := b.take(ctx, c, n)
		if err != nil {
			return nil, fmt.Errorf("row %s, c = %d: %w", c.row, n, err)
		}
		for _, x := range turns {
			r.base, r.ours = append(r.base, x.base), append(r.ours, x.ours)
		}
		b.progress("row %s, %s, c=%d: %.2f", c.row, c.name, n, median(r.ratios()))
		list = append(list, r)
	}
	return list, nil
}

// turn is one measurement of each side.
type turn struct{ base, ours sample }

func (t turn) others() float64 { return max(t.base.others, t.ours.others) }

// disturbed is the share of strangers beyond which a round is made again.
const disturbed = 0.05

// take makes the rounds of a line, up to twice as many while strangers disturb them, and keeps the least disturbed.
func (b *bench) take(ctx context.Context, c contest, workers int) ([]turn, error) {
	var list []turn
	rounds := b.roundsOf(c.hashes)
	for calm := 0; calm < rounds && len(list) < 2*rounds; {
		b.awaitCalm(ctx, c.ours.server)
		base, err := b.measure(ctx, c.base.server, c.base.work, workers, b.time)
		if err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		ours, err := b.measure(ctx, c.ours.server, c.ours.work, workers, b.time)
		if err != nil {
			return nil, err
		}
		x := turn{base, ours}
		list = append(list, x)
		if x.others() <= disturbed {
			calm++
		}
	}
	slices.SortStableFunc(list, func(x, y turn) int { return cmp.Compare(x.others(), y.others()) })
	return list[:rounds], nil
}

// ratios are those of the rounds.
func (r result) ratios() []float64 {
	list := make([]float64, len(r.ours))
	for i := range list {
		list[i] = r.ours[i].rate / r.base[i].rate
		if r.latency() {
			list[i] = float64(r.ours[i].p50) / float64(r.base[i].p50)
		}
	}
	return list
}

// latency says that the ratio is that of the times, not of the rates.
func (r result) latency() bool { return r.goal.p50 > 0 && r.workers == 1 }

// met reports whether the goal is, if there is one.
func (r result) met() bool {
	ratio := median(r.ratios())
	if r.latency() {
		return ratio <= r.goal.p50
	}
	postgres := median(values(r.ours, func(s sample) float64 { return float64(s.postgres) }))
	return ratio >= r.goal.rate && (r.goal.postgres == 0 || postgres <= float64(r.goal.postgres))
}

func values(samples []sample, of func(sample) float64) []float64 {
	list := make([]float64, len(samples))
	for i, s := range samples {
		list[i] = of(s)
	}
	return list
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// compare notes when the two do not answer alike: the floor has to give the same bytes.
func (b *bench) compare(ctx context.Context, c contest) error {
	if c.base.database != c.ours.database {
		return nil
	}
	var answers [2]any
	var sizes [2]int
	for i, s := range []side{c.base, c.ours} {
		conn, err := dial(ctx, s.server.addr)
		if err != nil {
			return err
		}
		own := s.work(0)
		read := own.read
		own.read = func(body []byte) error {
			sizes[i] = len(body)
			if err := json.Unmarshal(body, &answers[i]); err != nil {
				answers[i] = string(body)
			}
			if read == nil {
				return nil
			}
			return read(body)
		}
		err = conn.exchange(own)
		conn.close()
		if err != nil {
			return err
		}
		blank(answers[i])
	}
	if !reflect.DeepEqual(answers[0], answers[1]) {
		b.note("row %s: the floor gives another answer than ours: bring floor*.go up to date", c.row)
	}
	if d := sizes[0] - sizes[1]; d*d > sizes[1] {
		b.note("row %s: the floor's answer has %d bytes, ours %d", c.row, sizes[0], sizes[1])
	}
	return nil
}

// blank takes out what is random.
func blank(answer any) {
	if object, ok := answer.(map[string]any); ok {
		for _, name := range []string{"next", "access_token", "refresh_token", "session_id"} {
			if object[name] != nil {
				object[name] = ""
			}
		}
	}
}
