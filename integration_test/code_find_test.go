package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// shape is all that a list of contacts tells but the masks.
func shape(list []roster.MaskedContact) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%s:%d", c.Channel, len(c.Handle)))
	}
	return strings.Join(parts, " ")
}

// OTP-38, SEC-80, case 20: contacts of a login, masked; those of nobody look alike.
func TestOTP_38_FindContacts(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		find := func(t *testing.T, login string) []roster.MaskedContact {
			t.Helper()
			list, err := w.FindContacts(t.Context(), login)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		masks := func(list []roster.MaskedContact) (found []string) {
			for _, c := range list {
				found = append(found, c.Masked)
			}
			return found
		}
		w.add(t, person("anna", "anna@example.com", "+12025550101"))
		t.Run("shows both contacts, by each identifier, in any spelling", func(t *testing.T) {
			for _, login := range []string{"anna", "ANNA", "anna@example.com", "Anna@EXAMPLE.com", "+12025550101", "+1 (202) 555-0101"} {
				same(t, []string{"an**@ex*****.***", "+*********01"}, masks(find(t, login)))
			}
		})
		t.Run("shows an exact match alone", func(t *testing.T) {
			for _, login := range []string{"", "ann", "anna@", "anna@example", "+1202555010", "annaa", "%", "anna%"} {
				for _, c := range find(t, login) {
					if c.Masked == "an**@ex*****.***" {
						t.Errorf("%q finds %s", login, c.Masked)
					}
				}
			}
		})
		t.Run("SEC-80 unknown log-ins look like known ones, and the same each time", func(t *testing.T) {
			known, unknown := map[string]int{}, map[string]int{}
			for i := range 100 {
				email, phone := fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("+1202555%04d", 2000+i)
				if i%2 == 0 {
					phone = ""
				}
				if i%10 == 1 {
					email = ""
				}
				w.add(t, person(fmt.Sprintf("user%d", i), email, phone))
				known[shape(find(t, fmt.Sprintf("user%d", i)))]++
				first, second := find(t, fmt.Sprintf("ghost%d", i)), find(t, fmt.Sprintf("GHOST%d", i))
				unknown[shape(first)]++
				for _, other := range []string{"spook", "wraith", "spectre"} { // rare shapes are not to be missing by chance
					unknown[shape(find(t, fmt.Sprintf("%s%d", other, i)))]++
				}
				for _, c := range first {
					if c.Masked == "***" {
						t.Errorf("ghost%d has a contact that is none", i)
					}
				}
				same(t, masks(first), masks(second))
				if first[0].Handle == second[0].Handle {
					t.Error("a handle comes twice")
				}
			}
			for s, n := range known {
				if unknown[s] < n/5 {
					t.Errorf("%d known have the shape %q, %d unknown", n, s, unknown[s])
				}
			}
			for s, n := range unknown {
				if known[s] < n/16 {
					t.Errorf("%d unknown have the shape %q, %d known", n, s, known[s])
				}
			}
		})
		t.Run("shows what was typed, masked, though nobody has it", func(t *testing.T) {
			same(t, "gh***@ex*****.***", find(t, "ghost@example.com")[0].Masked)
			list := find(t, "+12025559977")
			same(t, "+*********77", list[len(list)-1].Masked)
		})
		t.Run("shows made-up ones of who may not log in, and of who has none", func(t *testing.T) {
			banned := w.add(t, person("berta", "berta@elsewhere.example", ""))
			if _, err := w.Ban(t.Context(), banned.ID, roster.Ban{}); err != nil {
				t.Fatal(err)
			}
			gone := w.add(t, person("carla", "carla@elsewhere.example", ""))
			same(t, nil, w.Delete(t.Context(), gone.ID, roster.Deactivate))
			w.add(t, person("dora", "", ""))
			for _, login := range []string{"berta", "carla", "dora"} {
				for _, c := range find(t, login) {
					if strings.HasSuffix(c.Masked, "@el*******.*******") {
						t.Errorf("%s has %s", login, c.Masked)
					}
				}
				if len(find(t, login)) == 0 {
					t.Errorf("%s has none", login)
				}
			}
		})
		t.Run("a handle is good for 15 minutes, for its contact, at its repo", func(t *testing.T) {
			u := w.proven(t, person("emma", "emma@example.com", ""))
			send := func(handle roster.Secret) int {
				t.Helper()
				w.post(t)
				w.Clock.Advance(30 * time.Second)
				same(t, nil, w.SendCode(t.Context(), roster.ContactRef{Handle: &handle}, roster.CodeLogin))
				return len(w.post(t))
			}
			handle := find(t, "emma")[0].Handle
			same(t, 1, send(handle))
			other := []byte(handle.Reveal())
			if other[5]++; handle[5] == 'z' {
				other[5] = 'a'
			}
			same(t, 0, send(roster.Secret(other)))
			same(t, 0, send(""))
			same(t, 0, send(roster.Secret(strings.Repeat("A", 10_000))))
			same(t, 0, send(find(t, "ghost")[0].Handle))
			w.Clock.Advance(13 * time.Minute)
			same(t, 0, send(handle)) // late
			handle = find(t, "emma")[0].Handle
			w.edit(t, u.ID, func(p *Person) { p.Email = new("emma2@example.com") })
			w.post(t)
			same(t, 0, send(handle))
		})
	}, func(cfg *usersrepo.Config) {
		cfg.Protection.AskedMessages.Off = true
	})
}

// OTP-38: OneTime.NoDecoys.
func TestOTP_38_NoDecoys(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		list, err := w.FindContacts(t.Context(), "nobody")
		if err != nil || len(list) != 0 {
			t.Fatal(list, err)
		}
	}, func(cfg *usersrepo.Config) { cfg.OneTime.NoDecoys = true })
}

// OTP-42, SEC-75: what is switched off for mails alone tells nobody who has an account, and goes by SMS.
func TestOTP_42_OneChannel(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.proven(t, person("anna", "anna@example.com", "+12025550101"))
		for _, login := range []string{"anna", "nobody"} {
			same(t, nil, w.SendCode(t.Context(), byLogin(login), roster.CodeLogin))
			_, err := w.CheckCode(from(t.Context(), "192.0.2.1"), byLogin(login), roster.CodeLogin, "000000")
			refused(t, err, roster.ErrInvalidCode)
			_, err = w.Login(from(t.Context(), "192.0.2.2"), withCode(login+"@example.com", "000000"))
			refused(t, err, roster.ErrInvalidCredentials)
			_, err = w.Login(from(t.Context(), "192.0.2.2"), withCode(login+"@example.com", "000000"))
			refused(t, err, roster.ErrTooManyRequests)
		}
		_, err := w.Login(from(t.Context(), "192.0.2.3"), withCode("anna", w.code(t, "+12025550101")))
		same(t, nil, err)
	}, func(cfg *usersrepo.Config) {
		cfg.OneTime.Off = []roster.CodeKind{{Channel: roster.ChannelEmail, Purpose: roster.CodeLogin}}
	})
}

// OTP-42: kinds of codes that are switched off.
func TestOTP_42_Off(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.proven(t, person("anna", "anna@example.com", "+12025550101"))
		ctx := t.Context()
		refused(t, w.SendPhoneCode(ctx, u.ID, roster.CodeReset), roster.ErrValidationFailed, "purpose:invalid")
		same(t, nil, w.SendEmailCode(ctx, u.ID, roster.CodeReset))
		refused(t, w.SendCode(ctx, byLogin("anna", roster.ChannelPhone), roster.CodeReset), roster.ErrValidationFailed, "purpose:invalid")
		_, err := w.CheckCode(ctx, byLogin("+12025550101"), roster.CodeReset, "123456")
		refused(t, err, roster.ErrValidationFailed, "purpose:invalid")
		for _, purpose := range []roster.CodePurpose{roster.CodeLogin, "", "change", "no"} { // no back end of codes
			refused(t, w.SendCode(ctx, byLogin("anna"), purpose), roster.ErrValidationFailed, "purpose:invalid")
			refused(t, w.SendEmailCode(ctx, u.ID, purpose), roster.ErrValidationFailed, "purpose:invalid")
		}
	}, func(cfg *usersrepo.Config) {
		cfg.OneTime.Off = []roster.CodeKind{{Channel: roster.ChannelPhone, Purpose: roster.CodeReset}}
		cfg.Account.Backends = []roster.Backend{roster.PasswordBackend}
	})
}
