package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"time"
)

func (b *bench) header() {
	fmt.Printf("%d cores, %s, PostgreSQL that syncs. %d rounds of %s. Load average: %s.\n\n",
		runtime.NumCPU(), runtime.Version(), b.rounds, b.time, loadAverage())
}

func printHeader(w io.Writer, base string) {
	fmt.Fprintf(w, "| row | work | c | %s, requests/s | ours, requests/s | ratio | goal | p50, ms | p99, ms | CPU server, µs | CPU PostgreSQL, µs | SQL + tx | cache | others |\n", base)
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
}

// printResult prints a line: medians, in brackets the least and the most; base → ours.
func printResult(w io.Writer, r result) {
	rate := func(s sample) float64 { return s.rate }
	ratios := r.ratios()
	fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %.2f (%.2f–%.2f) | %s | %s | %s | %s | %s | %s | %s | %.0f %% |\n",
		r.row, r.name, r.workers, spread(values(r.base, rate)), spread(values(r.ours, rate)),
		median(ratios), slices.Min(ratios), slices.Max(ratios), r.verdict(),
		r.change("%.2f", func(s sample) float64 { return milliseconds(s.p50) }),
		r.change("%.2f", func(s sample) float64 { return milliseconds(s.p99) }),
		r.change("%.0f", func(s sample) float64 { return 1000 * milliseconds(s.server) }),
		r.change("%.0f", func(s sample) float64 { return 1000 * milliseconds(s.postgres) }),
		r.sql(), judged(fmt.Sprintf("%.3g", r.counts.trips), beyond(r.counts.trips, r.goal.trips)),
		100*slices.Max(values(slices.Concat(r.base, r.ours), func(s sample) float64 { return s.others })))
}

func (r result) verdict() string {
	text := fmt.Sprintf("≥ %.2f", r.goal.rate)
	if r.latency() {
		text = fmt.Sprintf("p50 ≤ %.2f", r.goal.p50)
	}
	if r.goal.postgres > 0 {
		text += fmt.Sprintf(", PostgreSQL < %s", r.goal.postgres)
	}
	return judged(text, !r.met())
}

func (r result) sql() string {
	text := fmt.Sprintf("%.3g + %.3g", r.counts.statements, r.counts.transactions)
	return judged(text, beyond(r.counts.statements, r.goal.statements))
}

// beyond leaves out what a node does of itself meanwhile: it reads what was revoked, and asks its subscription whether it lives.
func beyond(count, goal float64) bool { return goal > 0 && count > goal+0.15 }

// judged marks what falls short.
func judged(text string, short bool) string {
	if short {
		return "**" + text + "**"
	}
	return text
}

func (r result) change(form string, of func(sample) float64) string {
	return fmt.Sprintf(form+" → "+form, median(values(r.base, of)), median(values(r.ours, of)))
}

func spread(list []float64) string {
	return fmt.Sprintf("%s (%s–%s)", round(median(list)), round(slices.Min(list)), round(slices.Max(list)))
}

// round keeps three digits.
func round(x float64) string {
	if x >= 100 {
		return strconv.Itoa(int(x + 0.5))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// finding is what was measured without a floor.
type finding struct {
	row   int
	what  string
	value string
	goal  string
	short bool
}

func printFindings(w io.Writer, list []finding) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\n| row | what | measured | goal |\n| --- | --- | ---: | --- |")
	for _, f := range list {
		fmt.Fprintf(w, "| %d | %s | %s | %s |\n", f.row, f.what, f.value, judged(f.goal, f.short))
	}
}
