package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	rows   map[int]bool // empty: all
	serve  bool
	timing bool
	each   int // answers of a kind, for timing
	users  int
	rounds int
	time   time.Duration // of one measurement
	calm   time.Duration // to wait for it
}

func readOptions(args []string) (options, error) {
	o := options{rows: map[int]bool{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rows := flags.String("rows", "", "numbers of rows with commas between; all if left out")
	quick := flags.Bool("quick", false, "short measurements and few users, for a first look")
	flags.BoolVar(&o.serve, "serve", false, "measure nothing: start the servers and wait, for profiles and EXPLAIN")
	flags.BoolVar(&o.timing, "timing", false, "measure whether answers take as long for accounts that are not there")
	flags.IntVar(&o.each, "each", 1000, "with -timing: answers of each kind, of each request")
	flags.IntVar(&o.users, "users", 0, "most users in a database; 0: 1,000,000, with -quick 20,000")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each measurement is made; of password hashes three times as often")
	flags.DurationVar(&o.time, "time", 0, "of one measurement; 0: 2s, with -quick 250ms")
	flags.DurationVar(&o.calm, "calm", 0, "how long to wait, before each round, for other programs to be quiet")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	users, d := 1_000_000, 2*time.Second
	if *quick {
		users, d = 20_000, 250*time.Millisecond
	}
	if o.users == 0 {
		o.users = users
	}
	if o.time == 0 {
		o.time = d
	}
	if o.users < fewUsers || o.rounds < 1 {
		return o, fmt.Errorf("want at least %d users and 1 round", fewUsers)
	}
	if o.each < 1 || o.each > fewUsers/5 {
		return o, fmt.Errorf("-each: want 1 to %d", fewUsers/5)
	}
	for text := range strings.SplitSeq(*rows, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return o, fmt.Errorf("-rows: %q is no number", text)
		}
		o.rows[n] = true
	}
	return o, nil
}

// wants reports whether one of these rows is to be measured.
func (o options) wants(rows ...int) bool {
	for _, row := range rows {
		if len(o.rows) == 0 || o.rows[row] {
			return true
		}
	}
	return false
}

// roundsOf is how often a contest is held: hashes want the whole bandwidth of the memory, which neighbours share, so that
// their rates scatter.
func (o options) roundsOf(hashes bool) int {
	if hashes {
		return 3 * o.rounds
	}
	return o.rounds
}
