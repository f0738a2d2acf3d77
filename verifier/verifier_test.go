package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/verifier"
)

const (
	issuerName = "https://id.example.com"
	secret     = "0123456789-0123456789-0123456789"
)

// clock is set by hand.
type clock struct{ ahead atomic.Int64 }

var begin = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func (c *clock) Now() time.Time          { return begin.Add(time.Duration(c.ahead.Load())) }
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// origin is a server that signs tokens and serves their keys.
type origin struct {
	*clock
	issuer *tokens.Issuer
	keys   []tokens.Key
	server *httptest.Server

	mu      sync.Mutex
	jwks    http.HandlerFunc // nil: the keys
	revoked http.HandlerFunc
	fetches atomic.Int64
	polls   atomic.Int64
}

func open(t testing.TB) *origin {
	t.Helper()
	o := &origin{clock: &clock{}}
	o.rotate(t)
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		jwks, revoked := o.jwks, o.revoked
		o.mu.Unlock()
		switch r.URL.Path {
		case "/jwks":
			o.fetches.Add(1)
			if jwks != nil {
				jwks(w, r)
				return
			}
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(o.issuer.Keys().JWKS(o.Now()))
		case "/elsewhere":
			_, _ = w.Write(o.issuer.Keys().JWKS(o.Now()))
		case "/revocations":
			o.polls.Add(1)
			revoked(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(o.server.Close)
	return o
}

// rotate makes a key that signs from now on. Those before stay known.
func (o *origin) rotate(t testing.TB) {
	t.Helper()
	k, err := tokens.Generate(tokens.ES256, o.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range o.keys {
		o.keys[i].State = tokens.Retired
	}
	k.State = tokens.Active
	o.keys = append(o.keys, k)
	set, err := tokens.NewSet(o.keys...)
	if err != nil {
		t.Fatal(err)
	}
	if o.issuer != nil {
		o.issuer.Use(set)
		return
	}
	if o.issuer, err = tokens.NewIssuer(tokens.Config{Issuer: issuerName, Audience: "shop", Leeway: 5 * time.Second}, set); err != nil {
		t.Fatal(err)
	}
}

func (o *origin) answers(jwks http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jwks = jwks
}

func (o *origin) tells(revoked http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.revoked = revoked
}

func (o *origin) claims() roster.Claims {
	return roster.Claims{
		Issuer: issuerName, Audience: "shop", Subject: roster.ID{1: 1}, SessionID: roster.ID{1: 2}, TokenID: roster.ID{1: 3},
		IssuedAt: o.Now(), NotBefore: o.Now(), ExpiresAt: o.Now().Add(10 * time.Minute), AuthTime: o.Now(),
		AMR: []string{"pwd"}, Permissions: roster.Permissions{"orders:read"}, Epoch: 3, GlobalEpoch: 1,
	}
}

func (o *origin) sign(t testing.TB, change ...func(c *roster.Claims)) roster.Secret {
	t.Helper()
	c := o.claims()
	for _, f := range change {
		f(&c)
	}
	token, err := o.issuer.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (o *origin) verifier(t testing.TB, change ...func(cfg *verifier.Config)) *verifier.Verifier {
	t.Helper()
	cfg := verifier.Config{
		JWKS: o.server.URL + "/jwks", Issuer: issuerName, Audience: "shop", Now: o.Now, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wants(t testing.TB, v *verifier.Verifier, token roster.Secret, want error) {
	t.Helper()
	claims, err := v.VerifyToken(context.Background(), token)
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if err != nil && (claims.Subject != roster.ID{} || claims.Issuer != "") {
		t.Error("claims came with the error")
	}
}

func TestNewTellsAllFaults(t *testing.T) {
	_, err := verifier.New(verifier.Config{
		JWKS: "http://id.example.com/jwks", Leeway: 2 * time.Minute, MaxKeyAge: time.Second,
		Revocations: &verifier.Revocations{URL: "ftp://x/?a", Secret: "s3cret", MaxStaleness: time.Second},
	})
	for _, want := range []string{
		"JWKS: must be an https URL", "issuer", "audience", "leeway", "MaxKeyAge", "Revocations.URL: must", "no query", "Revocations.Service", "Secret has 6 bytes: want 32", "MaxStaleness",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for address, good := range map[string]bool{
		"https://id.example.com/jwks": true, "http://localhost:1/jwks": true, "http://127.0.0.1/jwks": true, "http://[::1]:80/jwks": true,
		"http://localhost.example.com/jwks": false, "http://10.0.0.1/jwks": false, "https://u:p@id.example.com/jwks": false, "//x/jwks": false, "": false,
		"file:///etc/passwd": false, "https:///jwks": false, "http://127.0.0.1.example.com/": false, "%": false, "https://x/#a": false,
	} {
		if _, err := verifier.New(verifier.Config{JWKS: address, Issuer: "a", Audience: "b"}); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// SESS-77, SESS-18 to SESS-20: by the JWKS alone it says what the repo says.
func TestVerifyToken(t *testing.T) {
	o := open(t)
	v := o.verifier(t)
	token := o.sign(t)
	got, err := v.VerifyToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o.claims(), got); diff != "" {
		t.Error(diff)
	}
	text := token.Reveal()
	stranger := open(t)
	for name, bad := range map[string]roster.Secret{
		"none": "", "garbage": "x", "dots": "..", "another's": stranger.sign(t), "long": roster.Secret(strings.Repeat("x.", 10000)),
		"cut": roster.Secret(text[:len(text)-1]), "without a signature": roster.Secret(text[:strings.LastIndexByte(text, '.')+1]),
		"alg none": roster.Secret("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0" + text[strings.IndexByte(text, '.'):]), "from the future": o.sign(t, func(c *roster.Claims) {
			c.IssuedAt, c.NotBefore = c.IssuedAt.Add(6*time.Second), c.NotBefore.Add(6*time.Second)
		}),
	} {
		t.Run("refuses "+name, func(t *testing.T) { wants(t, v, bad, roster.ErrInvalidToken) })
	}
	for _, cfg := range []func(cfg *verifier.Config){
		func(cfg *verifier.Config) { cfg.Issuer = "other" }, func(cfg *verifier.Config) { cfg.Audience = "other" },
	} {
		wants(t, o.verifier(t, cfg), token, roster.ErrInvalidToken)
	}
	o.Advance(10*time.Minute + 5*time.Second)
	wants(t, v, token, roster.ErrTokenExpired)
}

// SESS-78: one fetch for all who need one.
func TestFetchesOnce(t *testing.T) {
	o := open(t)
	v := o.verifier(t)
	token := o.sign(t)
	all := func(want error, token roster.Secret) {
		t.Helper()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() { wants(t, v, token, want) })
		}
		wg.Wait()
	}
	o.answers(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(50 * time.Millisecond)
		_, _ = w.Write(o.issuer.Keys().JWKS(o.Now()))
	})
	all(nil, token)
	if n := o.fetches.Load(); n != 1 {
		t.Errorf("%d fetches at the start", n)
	}
	unknown := open(t).sign(t)
	all(roster.ErrInvalidToken, unknown)
	if n := o.fetches.Load(); n != 1 {
		t.Errorf("%d fetches: the keys were fetched just before", n)
	}
	o.rotate(t)
	o.Advance(10 * time.Second)
	all(nil, o.sign(t))
	all(roster.ErrInvalidToken, unknown)
	if n := o.fetches.Load(); n != 2 {
		t.Errorf("%d fetches after a rotation", n)
	}
	all(nil, token)
	t.Run("whoever gives up ends it for nobody", func(t *testing.T) {
		o.rotate(t)
		o.Advance(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _ = v.VerifyToken(ctx, o.sign(t))
		wants(t, v, o.sign(t), nil)
		if n := o.fetches.Load(); n != 3 {
			t.Errorf("%d fetches", n)
		}
	})
}

// SESS-78: what leaves the JWKS verifies no more.
func TestKeysLeave(t *testing.T) {
	for header, after := range map[string]time.Duration{
		"": 5 * time.Minute, "public, max-age=300": 5 * time.Minute, "max-age=86400": 5 * time.Minute, "max-age=60": time.Minute, "Max-Age=0": 10 * time.Second,
		"no-store": 10 * time.Second, "max-age=x": 5 * time.Minute, "max-age=-5": 10 * time.Second,
	} {
		t.Run(header, func(t *testing.T) {
			o := open(t)
			o.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", header)
				_, _ = w.Write(o.issuer.Keys().JWKS(o.Now()))
			})
			v := o.verifier(t)
			old := o.sign(t)
			wants(t, v, old, nil)
			o.keys = nil
			o.rotate(t)
			o.Advance(after)
			wants(t, v, old, nil)
			o.Advance(time.Second)
			wants(t, v, old, roster.ErrInvalidToken)
			wants(t, v, o.sign(t), nil)
		})
	}
}

// SESS-78: what cannot be fetched.
func TestServerFails(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"an error":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"not there":  http.NotFound,
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"garbage":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"other JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":{}}`)) },
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[]` + strings.Repeat(" ", 64<<10) + "}"))
		},
		"no end": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		},
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a redirect to another host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:"+r.Host[strings.LastIndexByte(r.Host, ':')+1:]+"/elsewhere", http.StatusFound)
		},
		"a redirect without end": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/jwks", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			v := o.verifier(t)
			o.answers(answer)
			wants(t, v, o.sign(t), roster.ErrUnavailable)
			wants(t, v, "garbage", roster.ErrUnavailable)
			o.answers(nil)
			o.Advance(time.Second)
			wants(t, v, o.sign(t), nil)
			o.answers(answer)
			old := o.sign(t)
			o.Advance(6 * time.Minute)
			wants(t, v, old, nil)
			wants(t, v, "garbage", roster.ErrInvalidToken)
			o.rotate(t)
			wants(t, v, o.sign(t), roster.ErrUnavailable) // whether there is such a key nobody can tell
			o.Advance(54*time.Minute + time.Second)
			wants(t, v, old, roster.ErrUnavailable)
			o.answers(nil)
			o.Advance(10 * time.Second)
			wants(t, v, old, roster.ErrTokenExpired)
			wants(t, v, o.sign(t), nil)
		})
	}
	t.Run("follows a redirect to another path", func(t *testing.T) {
		o := open(t)
		o.answers(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
		wants(t, o.verifier(t), o.sign(t), nil)
	})
	t.Run("waits for a slow one as long as the request does", func(t *testing.T) {
		o := open(t)
		o.answers(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		})
		v := o.verifier(t)
		began := time.Now()
		wants(t, v, o.sign(t), roster.ErrUnavailable)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// runs runs a verifier until the test ends.
func runs(t *testing.T, v *verifier.Verifier) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Run does not end")
		}
	})
}

func following(o *origin) func(cfg *verifier.Config) {
	return func(cfg *verifier.Config) {
		cfg.Revocations = &verifier.Revocations{URL: o.server.URL + "/revocations", Service: "orders", Secret: secret}
	}
}

func told(position string, epoch int64, more bool, sessions, users string) string {
	return fmt.Sprintf(`{"position":%q,"more":%t,"global_epoch":%d,"access_ttl":600,"sessions":[%s],"users":[%s]}`, position, more, epoch, sessions, users)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// SESS-79: what was revoked is refused as the repo refuses it, and nothing is accepted before all of it is known.
func TestRevocations(t *testing.T) {
	sid, sub := roster.ID{1: 2}.String(), roster.ID{1: 1}.String()
	for name, x := range map[string]struct {
		answer string
		want   error
	}{
		"nothing":            {told("1", 1, false, "", ""), nil},
		"the session":        {told("1", 1, false, `"`+sid+`"`, ""), roster.ErrSessionRevoked},
		"another session":    {told("1", 1, false, `"`+sub+`"`, ""), nil},
		"the user":           {told("1", 1, false, "", `{"id":"`+sub+`","epoch":4}`), roster.ErrTokenExpired},
		"an older epoch":     {told("1", 1, false, "", `{"id":"`+sub+`","epoch":3}`), nil},
		"all users":          {told("1", 2, false, "", ""), roster.ErrSessionRevoked},
		"no position":        {told("", 1, false, "", ""), roster.ErrUnavailable},
		"garbage":            {"<html>", roster.ErrUnavailable},
		"nothing of it":      {"{}", roster.ErrUnavailable},
		"no sessions":        {`{"position":"1","global_epoch":1,"access_ttl":600,"users":[]}`, roster.ErrUnavailable},
		"no life":            {`{"position":"1","global_epoch":1,"sessions":[],"users":[]}`, roster.ErrUnavailable},
		"no end":             {told("1", 1, true, "", ""), roster.ErrUnavailable},
		"what is no session": {told("1", 1, false, `"x"`, ""), roster.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.tells(says(x.answer))
			v := o.verifier(t, following(o))
			wants(t, v, o.sign(t), x.want)
			bad := roster.ErrInvalidToken
			if errors.Is(x.want, roster.ErrUnavailable) {
				bad = roster.ErrUnavailable
			}
			wants(t, v, "garbage", bad)
		})
	}
	t.Run("reads all pages, proves itself, and goes on from where it was", func(t *testing.T) {
		o := open(t)
		o.tells(func(w http.ResponseWriter, r *http.Request) {
			if name, password, _ := r.BasicAuth(); name != "orders" || password != secret {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			switch after := r.URL.Query().Get("after"); after {
			case "":
				says(told("1", 1, true, "", ""))(w, r)
			case "1":
				says(told("2", 1, false, `"`+sid+`"`, ""))(w, r)
			case "2":
				says(told("2", 1, false, "", ""))(w, r)
			default:
				t.Errorf("after %q", after)
			}
		})
		v := o.verifier(t, following(o))
		wants(t, v, o.sign(t), roster.ErrSessionRevoked)
		o.Advance(2 * time.Second)
		wants(t, v, o.sign(t), roster.ErrSessionRevoked)
		if n := o.polls.Load(); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
	// ends answers as Roster does: what has ended is in the first answer, and nothing new comes after it.
	ends := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "" {
			says(told("1", 1, false, `"`+sid+`"`, ""))(w, r)
			return
		}
		says(told("1", 1, false, "", ""))(w, r)
	}
	t.Run("a clock that is set back makes it begin anew", func(t *testing.T) {
		o := open(t)
		o.tells(ends)
		o.Advance(3 * time.Hour) // it runs ahead
		v := o.verifier(t, following(o))
		ahead := o.sign(t)
		wants(t, v, ahead, roster.ErrSessionRevoked)
		o.Advance(2 * time.Hour) // what ended is forgotten by now
		wants(t, v, o.sign(t), nil)
		o.Advance(-5 * time.Hour)
		wants(t, v, o.sign(t), roster.ErrSessionRevoked)
		o.tells(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		o.Advance(-time.Hour)
		wants(t, v, o.sign(t), roster.ErrUnavailable) // how old is what it knows? nobody can tell
	})
	t.Run("a position that the server does not know makes it begin anew", func(t *testing.T) {
		o := open(t)
		o.tells(ends)
		v := o.verifier(t, following(o))
		wants(t, v, o.sign(t), roster.ErrSessionRevoked)
		o.tells(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("after") != "" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			says(told("a.new.form", 1, false, `"`+sid+`"`, ""))(w, r)
		})
		o.Advance(time.Minute)
		wants(t, v, o.sign(t), roster.ErrUnavailable)
		o.Advance(time.Second)
		wants(t, v, o.sign(t), roster.ErrSessionRevoked)
	})
	t.Run("says which service was refused, and not its secret", func(t *testing.T) {
		o := open(t)
		var status atomic.Int64
		o.tells(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
		for code, want := range map[int64]string{
			401: "/revocations: the answer was 401: is the service \\\"orders\\\" with this secret in routes.Config.Services?",
			404: "/revocations: the answer was 404\"",
		} {
			status.Store(code)
			var log strings.Builder
			v := o.verifier(t, following(o), func(cfg *verifier.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			wants(t, v, o.sign(t), roster.ErrUnavailable)
			if !strings.Contains(log.String(), "GET "+o.server.URL+want) || strings.Contains(log.String(), secret) {
				t.Errorf("%d: the log says %s", code, log.String())
			}
		}
	})
	t.Run("without Run 64 requests ask once a second", func(t *testing.T) {
		o := open(t)
		o.tells(says(told("1", 1, false, "", "")))
		v := o.verifier(t, following(o))
		token := o.sign(t)
		for range 2 {
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() { wants(t, v, token, nil) })
			}
			wg.Wait()
			o.Advance(time.Second)
		}
		if n := o.polls.Load(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("a token that lives longer than it may now is late, SESS-49", func(t *testing.T) {
		o := open(t)
		o.tells(says(told("1", 1, false, "", "")))
		v := o.verifier(t, following(o))
		token := o.sign(t, func(c *roster.Claims) { c.ExpiresAt = c.ExpiresAt.Add(time.Hour) })
		wants(t, v, token, nil)
		o.Advance(10*time.Minute + 5*time.Second)
		wants(t, v, token, roster.ErrTokenExpired)
	})
	for name, followed := range map[string]bool{"alone": false, "with Run": true} {
		t.Run("knows nothing after MaxStaleness, and knows again, "+name, func(t *testing.T) {
			o := open(t)
			v := o.verifier(t, following(o))
			o.tells(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			if followed {
				runs(t, v)
			}
			wants(t, v, o.sign(t), roster.ErrUnavailable)
			o.tells(says(told("1", 1, false, "", "")))
			eventually(t, v, o, nil)
			o.tells(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			time.Sleep(1500 * time.Millisecond) // so that no answer of before comes
			wants(t, v, o.sign(t), nil)
			o.Advance(10*time.Second + 1)
			wants(t, v, o.sign(t), roster.ErrUnavailable)
			wants(t, v, "garbage", roster.ErrUnavailable)
			o.tells(says(told("2", 1, false, `"`+sid+`"`, "")))
			o.Advance(time.Second)
			eventually(t, v, o, roster.ErrSessionRevoked)
		})
	}
	t.Run("a second Run is refused", func(t *testing.T) {
		o := open(t)
		o.tells(says(told("1", 1, false, "", "")))
		v := o.verifier(t, following(o))
		runs(t, v)
		eventually(t, v, o, nil)
		if err := v.Run(t.Context()); err == nil {
			t.Error("it ran")
		}
	})
	t.Run("a server that answers at once is not asked without a pause", func(t *testing.T) {
		o := open(t)
		o.tells(says(told("1", 1, false, "", "")))
		runs(t, o.verifier(t, following(o)))
		time.Sleep(2500 * time.Millisecond)
		if n := o.polls.Load(); n < 2 || n > 6 {
			t.Errorf("%d requests", n)
		}
	})
}

func eventually(t *testing.T, v *verifier.Verifier, o *origin, want error) {
	t.Helper()
	token := o.sign(t)
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := v.VerifyToken(t.Context(), token)
		if errors.Is(err, want) {
			return
		}
		o.Advance(20 * time.Millisecond)
		if time.Since(began) > 5*time.Second {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
}
