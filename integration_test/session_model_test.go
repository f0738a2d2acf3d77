package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
)

// sessionModel is what two nodes must agree on about the sessions of some users. It knows when and where what was ended.
type sessionModel struct {
	t     *rapid.T
	ctx   context.Context
	nodes []*world
	users []*modelUser
}

type modelUser struct {
	*Person
	password roster.Secret
	banned   bool
	sessions []*modelSession
}

type modelSession struct {
	user    *modelUser
	refresh []roster.Secret
	rotated time.Time // when the last one but one was spent
	rotator int       // on which node
	access  []*modelToken
	ended   *moment
}

type modelToken struct {
	pair   roster.TokenPair
	until  time.Time
	killed *moment // with the session going on: the user's epoch has moved on
}

// moment is when something was done, and on which node.
type moment struct {
	at   time.Time
	node int
}

func (m *sessionModel) now() time.Time { return m.nodes[0].Clock.Now() }

// known reports whether a node must know of something, and whether it may.
func (m *sessionModel) known(x *moment, node int) (must, may bool) {
	if x == nil {
		return false, false
	}
	return x.node == node || m.now().Sub(x.at) > time.Second, true
}

func (m *sessionModel) node() int { return rapid.IntRange(0, len(m.nodes)-1).Draw(m.t, "node") }

func (m *sessionModel) user() *modelUser { return rapid.SampledFrom(m.users).Draw(m.t, "user") }

// session draws a session, an ended one perhaps.
func (m *sessionModel) session() *modelSession {
	u := m.user()
	if len(u.sessions) == 0 {
		m.t.Skip("no session yet")
	}
	return rapid.SampledFrom(u.sessions).Draw(m.t, "session")
}

func (m *sessionModel) check(err error, what string) {
	if err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
}

// end ends sessions in the model.
func (m *sessionModel) end(node int, list ...*modelSession) {
	for _, s := range list {
		if s.ended == nil {
			s.ended = &moment{m.now(), node}
		}
	}
}

// kill makes the access tokens of a user old.
func (m *sessionModel) kill(node int, u *modelUser) {
	for _, s := range u.sessions {
		for _, token := range s.access {
			if token.killed == nil {
				token.killed = &moment{m.now(), node}
			}
		}
	}
}

func (m *sessionModel) keep(s *modelSession, pair roster.TokenPair) {
	s.access = append(s.access, &modelToken{pair: pair, until: m.now().Add(10 * time.Minute)})
}

func (m *sessionModel) logIn(*rapid.T) {
	u, n := m.user(), m.node()
	pair, err := m.nodes[n].IssueTokens(m.ctx, u.ID, roster.IssueOptions{})
	if u.banned {
		if !errors.Is(err, roster.ErrBanned) {
			m.t.Fatalf("a banned user got in: %v", err)
		}
		return
	}
	m.check(err, "log in")
	live := 0
	for _, s := range u.sessions {
		if s.ended == nil {
			live++
		}
	}
	if live >= 10 {
		m.t.Skip("who is evicted is not modelled")
	}
	s := &modelSession{user: u, refresh: []roster.Secret{pair.RefreshToken}}
	m.keep(s, pair)
	u.sessions = append(u.sessions, s)
}

func (m *sessionModel) refresh(*rapid.T) {
	s, n := m.session(), m.node()
	i := len(s.refresh) - 1 - min(rapid.IntRange(0, 5).Draw(m.t, "age")/2, len(s.refresh)-1) // mostly young ones
	pair, err := m.nodes[n].Refresh(m.ctx, s.refresh[i])
	last := len(s.refresh) - 1
	switch {
	case s.ended != nil:
		if !errors.Is(err, roster.ErrSessionRevoked) && !errors.Is(err, roster.ErrBanned) {
			m.t.Fatalf("refresh in an ended session: %v", err)
		}
	case i == last:
		m.check(err, "refresh")
		s.refresh, s.rotated, s.rotator = append(s.refresh, pair.RefreshToken), m.now(), n
		m.keep(s, pair)
	case i == last-1 && (m.now().Sub(s.rotated) <= 10*time.Second || n != s.rotator && m.now().Sub(s.rotated) <= 15*time.Second):
		m.check(err, "refresh within the grace")
		if pair.RefreshToken != s.refresh[last] {
			m.t.Fatal("within the grace: another successor")
		}
		m.keep(s, pair)
	default:
		if !errors.Is(err, roster.ErrTokenReused) {
			m.t.Fatalf("replay: %v", err)
		}
		m.end(n, s)
	}
}

func (m *sessionModel) logOut(*rapid.T) {
	s, n := m.session(), m.node()
	_, err := m.nodes[n].Revoke(m.ctx, rapid.SampledFrom(s.refresh).Draw(m.t, "token"))
	m.check(err, "revoke")
	m.end(n, s)
}

func (m *sessionModel) kick(*rapid.T) {
	u, n := m.user(), m.node()
	m.check(m.nodes[n].Kick(m.ctx, u.ID), "kick")
	m.kill(n, u)
	m.end(n, u.sessions...)
}

func (m *sessionModel) ban(*rapid.T) {
	u, n := m.user(), m.node()
	if u.banned {
		m.check(m.nodes[n].Unban(m.ctx, u.ID), "unban")
		u.banned = false
		return
	}
	_, err := m.nodes[n].Ban(m.ctx, u.ID, roster.Ban{})
	m.check(err, "ban")
	u.banned = true
	m.kill(n, u)
	m.end(n, u.sessions...)
}

// changePassword is done in a session: it goes on, by a new pair.
func (m *sessionModel) changePassword(*rapid.T) {
	s, n := m.session(), m.node()
	if s.ended != nil || s.user.banned {
		m.t.Skip("not in a live session")
	}
	next := roster.Secret(rapid.StringMatching(`[a-z]{20}`).Draw(m.t, "password"))
	if next == s.user.password {
		m.t.Skip("the same password")
	}
	ctx := roster.WithActor(m.ctx, roster.Actor{
		Kind: roster.ActorUser, ID: s.user.ID, SID: s.access[0].pair.SessionID, AuthTime: m.now(),
	})
	pair, err := m.nodes[n].ChangePassword(ctx, s.user.ID, s.user.password, next)
	m.check(err, "change password")
	s.user.password = next
	m.kill(n, s.user)
	for _, other := range s.user.sessions {
		if other != s {
			m.end(n, other)
		}
	}
	s.refresh, s.rotated = append(s.refresh, pair.RefreshToken), time.Time{} // without a grace: who had the old one is out
	m.keep(s, pair)
}

func (m *sessionModel) takePermission(*rapid.T) {
	u, n := m.user(), m.node()
	_, err := m.nodes[n].AddPermissions(m.ctx, u.ID, []string{"x:read"})
	m.check(err, "add permission")
	_, err = m.nodes[n].RemovePermissions(m.ctx, u.ID, []string{"x:read"})
	m.check(err, "remove permission")
	m.kill(n, u)
}

func (m *sessionModel) blackout(*rapid.T) {
	n := m.node()
	_, err := m.nodes[n].SetBlackout(m.ctx, roster.Blackout{})
	m.check(err, "blackout")
	for _, u := range m.users {
		m.end(n, u.sessions...)
	}
}

func (m *sessionModel) wait(*rapid.T) {
	m.nodes[0].Clock.Advance(time.Duration(rapid.SampledFrom([]int{100, 999, 1001, 5000, 10000, 10001, 300000}).Draw(m.t, "ms")) * time.Millisecond)
}

// judge shows every access token to every node.
func (m *sessionModel) judge() {
	for _, u := range m.users {
		for _, s := range u.sessions {
			for i, token := range s.access {
				for n, w := range m.nodes {
					_, err := w.VerifyToken(m.ctx, token.pair.AccessToken)
					m.judgeOne(fmt.Sprintf("token %d on node %d", i, n), s, token, n, err)
				}
			}
		}
	}
}

func (m *sessionModel) judgeOne(what string, s *modelSession, token *modelToken, n int, err error) {
	mustEnd, mayEnd := m.known(s.ended, n)
	mustKill, mayKill := m.known(token.killed, n)
	late := !m.now().Before(token.until.Add(5 * time.Second))
	switch {
	case err == nil:
		if late || mustEnd || mustKill {
			m.t.Fatalf("%s is accepted: session ended %v, killed %v, late %t", what, s.ended, token.killed, late)
		}
	case errors.Is(err, roster.ErrSessionRevoked):
		if !mayEnd {
			m.t.Fatalf("%s: revoked, and nobody ended the session", what)
		}
	case errors.Is(err, roster.ErrTokenExpired):
		if !late && !mayKill {
			m.t.Fatalf("%s: expired too early", what)
		}
	default:
		m.t.Fatalf("%s: %v", what, err)
	}
}

// SESS-3, SESS-21, SESS-27, SESS-29, SESS-30, SESS-45, MGMT-25, MGMT-27, SEC-35: whatever is done in whatever order on two nodes,
// what has ended is refused at once where that was done, within the PollInterval elsewhere, and what has not goes on.
func TestSessionsModel(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		list := cluster(t, kind, 2)
		rapid.Check(t, func(rt *rapid.T) {
			m := &sessionModel{t: rt, ctx: context.WithoutCancel(t.Context()), nodes: list}
			for range 2 {
				u := list[0].add(t, person("u"+roster.NewID().String()[24:], "", ""), roster.WithPassword(secret))
				m.users = append(m.users, &modelUser{Person: u, password: secret})
			}
			m.logIn(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"":       func(*rapid.T) { m.judge() },
				"log in": m.logIn, "refresh": m.refresh, "refresh again": m.refresh, "log out": m.logOut, "kick": m.kick, "ban or unban": m.ban,
				"change password": m.changePassword, "take a permission": m.takePermission, "blackout": m.blackout, "wait": m.wait,
				"wait more": m.wait,
			})
		})
	})
}
