package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) newLink(user roster.ID, hash []byte) store.Link {
	return store.Link{
		Hash: hash, Purpose: store.ConfirmEmail, UserID: user, Address: "u@example.com",
		CreatedAt: s.now, ExpiresAt: s.now.Add(time.Hour),
	}
}

// link stores a link with its message.
func (s *suite) link(t *testing.T, user roster.ID, hash []byte, change ...func(*store.Link, *store.Message)) (store.Link, store.Message) {
	t.Helper()
	l, m := s.newLink(user, hash), s.newMessage()
	m.UserID, m.LinkHash = &user, hash
	for _, f := range change {
		f(&l, &m)
	}
	noError(t, s.InTx(t.Context(), func(ctx context.Context) error { return s.QueueLink(ctx, l, &m) }))
	return l, m
}

func (s *suite) live(t *testing.T, hash []byte, want bool) {
	t.Helper()
	got, err := s.LinkIsLive(t.Context(), hash, s.now)
	noError(t, err)
	same(t, "live", got, want)
}

func (s *suite) testConfirm(t *testing.T) {
	a := s.user(t)
	t.Run("it stores a link with the message that carries it", func(t *testing.T) {
		l, m := s.link(t, a.ID, newHash())
		got, err := s.GetLink(t.Context(), l.Purpose, l.Hash)
		noError(t, err)
		same(t, "link", got, l)
		inUTC(t, got.CreatedAt)
		same(t, "messages", s.count(t, s.table("messages"), "id = $1 AND state = 'pending'", m.ID), 1)
		_, err = s.GetLink(t.Context(), store.FirstPassword, l.Hash)
		fails(t, err, roster.ErrNotFound)
		_, err = s.GetLink(t.Context(), l.Purpose, newHash())
		fails(t, err, roster.ErrNotFound)
	})
	t.Run("it uses a link once, for its purpose, before it ends", func(t *testing.T) {
		l, _ := s.link(t, a.ID, newHash())
		for _, tt := range []struct {
			purpose store.LinkPurpose
			hash    []byte
			at      time.Time
			want    bool
		}{
			{store.FirstPassword, l.Hash, s.now, false},
			{l.Purpose, newHash(), s.now, false},
			{l.Purpose, l.Hash, l.ExpiresAt, false},
			{l.Purpose, l.Hash, l.ExpiresAt.Add(-time.Microsecond), true},
			{l.Purpose, l.Hash, s.now, false},
		} {
			got, err := s.UseLink(t.Context(), tt.purpose, tt.hash, tt.at)
			noError(t, err)
			same(t, "used", got, tt.want)
		}
		got, err := s.GetLink(t.Context(), l.Purpose, l.Hash)
		noError(t, err)
		l.UsedAt = new(l.ExpiresAt.Add(-time.Microsecond))
		same(t, "link", got, l)
		s.live(t, l.Hash, false)
	})
	t.Run("it voids the links that are named, and cancels their messages", func(t *testing.T) {
		for name, tt := range map[string]struct {
			purpose store.LinkPurpose
			address string
			live    []bool // of: the purpose and address, another purpose, another address
		}{
			"of a purpose":          {store.ConfirmEmail, "", []bool{false, true, false}},
			"to an address":         {"", "u@example.com", []bool{false, false, true}},
			"of both":               {store.ConfirmEmail, "u@example.com", []bool{false, true, true}},
			"all":                   {"", "", []bool{false, false, false}},
			"none, to nobody's":     {"", "nobody@example.com", []bool{true, true, true}},
			"none, of no purpose's": {"other", "", []bool{true, true, true}},
		} {
			b, c := s.user(t), s.user(t)
			l1, m1 := s.link(t, b.ID, newHash())
			l2, m2 := s.link(t, b.ID, newHash(), func(l *store.Link, _ *store.Message) { l.Purpose = store.FirstPassword })
			l3, m3 := s.link(t, b.ID, newHash(), func(l *store.Link, _ *store.Message) { l.Address = "other@example.com" })
			others, _ := s.link(t, c.ID, newHash())
			var purposes []store.LinkPurpose
			if tt.purpose != "" {
				purposes = append(purposes, tt.purpose)
			}
			noError(t, s.VoidLinks(t.Context(), b.ID, tt.address, s.now, purposes...))
			for i, l := range []store.Link{l1, l2, l3} {
				s.live(t, l.Hash, tt.live[i])
				state := map[bool]string{true: "pending", false: "cancelled"}[tt.live[i]]
				id := []roster.ID{m1.ID, m2.ID, m3.ID}[i]
				if s.count(t, s.table("messages"), "id = $1 AND state = $2", id, state) != 1 {
					t.Errorf("%s: message %d is not %s", name, i, state)
				}
				used, err := s.UseLink(t.Context(), l.Purpose, l.Hash, s.now)
				noError(t, err)
				same(t, "used", used, tt.live[i])
			}
			s.live(t, others.Hash, true)
		}
	})
	t.Run("it does not void a used link", func(t *testing.T) {
		l, m := s.link(t, a.ID, newHash())
		_, err := s.UseLink(t.Context(), l.Purpose, l.Hash, s.now)
		noError(t, err)
		noError(t, s.VoidLinks(t.Context(), a.ID, "", s.now))
		got, err := s.GetLink(t.Context(), l.Purpose, l.Hash)
		noError(t, err)
		if got.VoidedAt != nil {
			t.Error("it is void")
		}
		same(t, "messages", s.count(t, s.table("messages"), "id = $1 AND state = 'pending'", m.ID), 1)
	})
	t.Run("it takes an ended link for dead", func(t *testing.T) {
		l, _ := s.link(t, a.ID, newHash(), func(l *store.Link, _ *store.Message) { l.ExpiresAt = s.now })
		s.live(t, l.Hash, false)
		s.live(t, newHash(), false)
	})
}
