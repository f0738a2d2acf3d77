package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/roster-go/roster/store"
)

// pair is a request that must take as long for an account that is there as for one that is not. Each is sent once for each n.
type pair struct {
	name           string
	known, unknown func(n int) []byte
	status         int
	from           int // the n before the first
}

// firstUnproven is the number of the first user whose address is not proven here.
const firstUnproven = fewUsers / 2

// timedPairs are the endpoints for people who are not logged in.
func timedPairs() []pair {
	login := func(n int) string { return emailOf(n, fewUsers) }
	nobody := func(n int) string { return emailOf(n+fewUsers, fewUsers) }
	of := func(path, body string) func(name func(int) string) func(int) []byte {
		return func(name func(int) string) func(int) []byte {
			return func(n int) []byte { return post(path, fmt.Sprintf(body, name(n))) }
		}
	}
	each := func(name, path, body string, status int) pair {
		request := of(path, body)
		return pair{name, request(login), request(nobody), status, people}
	}
	unproven := func(x pair) pair { x.from = firstUnproven; return x }
	code := `{"login":%q,"purpose":"login","code":"000000"}`
	return []pair{
		each("log-in, wrong password", "/api/login", `{"login":%q,"password":"wrong horse battery"}`, http.StatusUnauthorized),
		each("contacts of a login", "/api/codes/find", `{"login":%q}`, http.StatusOK),
		each("code to log in, asked for", "/api/codes/send", `{"login":%q,"purpose":"login"}`, http.StatusAccepted),
		each("… a wrong one, while one is out", "/api/codes/check", code, http.StatusBadRequest),
		each("… a wrong one, at the log-in", "/api/login", `{"login":%q,"code":"000000"}`, http.StatusUnauthorized),
		each("link to reset, asked for", "/api/password/forgot", `{"login":%q}`, http.StatusAccepted),
		unproven(each("confirmation, asked for again", "/api/confirm/resend", `{"email":%q}`, http.StatusAccepted)),
		unproven(each("link to reset, for an address that is not proven", "/api/password/forgot", `{"login":%q}`, http.StatusAccepted)),
		each("registration, concealed", "/api/register", `{"email":%q,"password":"correct horse battery"}`, http.StatusAccepted),
	}
}

// timing measures whether the time of an answer tells if there is an account.
func (b *bench) timing(ctx context.Context) error {
	database, err := b.fill(ctx, fewUsers)
	if err != nil {
		return err
	}
	db, err := store.Open(b.postgres.Address(database))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "UPDATE users SET email_verified_at = NULL WHERE cast(substring(email from '([0-9]+)@') AS integer) > $1", firstUnproven)
	if err != nil {
		return err
	}
	embed, err := b.startOwn(ctx, "embed", database, "-redis="+b.redis.address, "-conceal")
	if err != nil {
		return err
	}
	defer embed.stop()
	conn, err := dial(ctx, embed.addr)
	if err != nil {
		return err
	}
	defer conn.close()
	fmt.Printf("%d answers of each. Load average: %s.\n\n", b.each, loadAverage())
	fmt.Println("| request | known, ms | unknown, ms | AUC | p | AUC of known against known |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, x := range timedPairs() {
		took, err := b.timePair(conn, x)
		if err != nil {
			return err
		}
		auc, p := mannWhitney(took[known], took[unknown])
		control, _ := mannWhitney(took[known], took[alsoKnown])
		fmt.Printf("| %s | %.2f | %.2f | %s | %.2g | %s |\n", x.name, median(took[known]), median(took[unknown]),
			judged(fmt.Sprintf("%.3f", auc), math.Abs(auc-0.5) > 0.1), p, judged(fmt.Sprintf("%.3f", control), math.Abs(control-0.5) > 0.05))
	}
	return nil
}

// The accounts that a request is about: some that are there, others that are there, and some that are not.
const (
	known = iota
	alsoKnown
	unknown
)

const warmUp = 20

// timePair measures how long answers take, for each kind of account, which take turns by chance.
func (b *bench) timePair(conn *client, x pair) (took [3][]float64, err error) {
	turns := slices.Repeat([]int{known, alsoKnown, unknown}, b.each+warmUp)
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	var sent [3]int
	for _, kind := range turns {
		sent[kind]++
		n, request := x.from+sent[kind], x.known
		switch kind {
		case alsoKnown:
			n += b.each + warmUp
		case unknown:
			request = x.unknown
		}
		text := request(n)
		begin := time.Now()
		status, body, err := conn.send(text)
		if err != nil {
			return took, err
		}
		if status != x.status {
			return took, fmt.Errorf("%s: status %d, want %d: %s", x.name, status, x.status, body)
		}
		if sent[kind] > warmUp {
			took[kind] = append(took[kind], milliseconds(time.Since(begin)))
		}
	}
	return took, nil
}

// mannWhitney returns how likely a value of a is above one of b, 0.5 when neither tells anything, and the chance that values
// of the same kind would differ as much (Mann and Whitney, with the normal distribution).
func mannWhitney(a, b []float64) (auc, p float64) {
	type value struct {
		v   float64
		isA bool
	}
	var all []value
	for _, v := range a {
		all = append(all, value{v, true})
	}
	for _, v := range b {
		all = append(all, value{v, false})
	}
	slices.SortFunc(all, func(x, y value) int {
		switch {
		case x.v < y.v:
			return -1
		case x.v > y.v:
			return 1
		}
		return 0
	})
	ranks := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		for k := i; k < j; k++ {
			if all[k].isA {
				ranks += float64(i+j+1) / 2 // ties share the mean of their ranks
			}
		}
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	u := ranks - n*(n+1)/2
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return u / (n * m), math.Erfc(math.Abs(z) / math.Sqrt2)
}
