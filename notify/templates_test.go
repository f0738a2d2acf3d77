package notify_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

// account is the user of a program.
type account struct {
	roster.User
	Company string
	Plan    *string
	Key     roster.Secret
}

func files(texts map[string]string) fs.FS {
	all := fstest.MapFS{}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func templates(t *testing.T, overrides map[string]string) *notify.Templates {
	t.Helper()
	made, err := notify.NewTemplates(files(overrides), notify.Data{User: &account{}, Vars: map[string]any{"City": "Berlin"}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func data() notify.Data {
	return notify.Data{
		Product: "Acme", SupportURL: "https://acme.test/help", User: &account{Company: "Initech"}, Name: "Bob",
		To: "bob@example.com", Link: "https://acme.test/confirm#token=ec_a-b_c", ExpiresIn: 24 * time.Hour,
		When: time.Date(2026, 11, 5, 14, 3, 0, 0, time.UTC), IP: "192.0.2.7", Device: "Firefox on Linux", Old: "bob",
		New: "bobby", Provider: "GitHub", Code: "123456", Domain: "acme.test", Vars: map[string]any{"City": "Berlin"},
	}
}

type rendered struct{ Subject, Text, HTML, Language string }

func render(t *testing.T, from *notify.Templates, kind, language string, d notify.Data) rendered {
	t.Helper()
	var r rendered
	var err error
	if r.Subject, r.Text, r.HTML, r.Language, err = from.Render(kind, language, d); err != nil {
		t.Fatal(err)
	}
	return r
}

// MAIL-35, MAIL-42, MAIL-46; case 12: nothing leads elsewhere than to the link and the support page, and nothing is
// loaded from the network.
func TestTemplatesBuiltin(t *testing.T) {
	builtin := templates(t, nil)
	href := regexp.MustCompile(`(?i)(?:href|src|background|action)\s*=\s*"([^"]*)"|url\(`)
	link := regexp.MustCompile(`https?://[^\s<>"]+`)
	linked := []string{
		notify.EmailConfirm, notify.EmailConfirmAgain, notify.EmailChangeNew, notify.EmailChangeOld, notify.PasswordReset,
		notify.PasswordFirst, notify.PhoneChangeOld, notify.PasswordClosed,
	}
	for _, kind := range notify.Kinds() {
		if !notify.GoesBy(kind, notify.Email) {
			continue
		}
		for _, language := range []string{"en", "de"} {
			t.Run(kind+"/"+language, func(t *testing.T) {
				got := render(t, builtin, kind, language, data())
				if got.Language != language || strings.ContainsAny(got.Subject, "\r\n") || got.Subject == "" {
					t.Errorf("got %+v", got)
				}
				allowed := []string{"https://acme.test/help"}
				if slices.Contains(linked, kind) {
					allowed = append(allowed, "https://acme.test/confirm#token=ec_a-b_c")
					if !strings.Contains(got.Text, "\n"+allowed[1]+"\n") || strings.Count(got.HTML, allowed[1]) != 3 {
						t.Errorf("the link is missing in %s\n%s", got.Text, got.HTML)
					}
				} else if strings.Contains(got.Text+got.HTML, "ec_") {
					t.Errorf("MAIL-47: a notice has a link")
				}
				if carries := strings.Contains(got.Text, "123456") && strings.Contains(got.HTML, "123456"); carries != (kind == notify.CodeEmail) {
					t.Errorf("carries a code: %t", carries)
				}
				for _, found := range href.FindAllStringSubmatch(got.HTML, -1) {
					if !slices.Contains(allowed, found[1]) {
						t.Errorf("leads to %q", found[0])
					}
				}
				for _, found := range link.FindAllString(got.Text+got.HTML, -1) {
					if !slices.Contains(allowed, found) {
						t.Errorf("names %q", found)
					}
				}
				for _, tag := range []string{"<img", "<script", "<link", "<style", "<form", "<iframe"} {
					if strings.Contains(got.HTML, tag) {
						t.Errorf("has %s", tag)
					}
				}
				for _, text := range []string{got.Text, got.HTML} {
					if !strings.Contains(text, "Acme") || strings.Contains(text, "<nil>") || strings.Contains(text, "\n\n\n") {
						t.Errorf("got %s", text)
					}
				}
				if !strings.Contains(got.HTML, `<html lang="`+language+`">`) {
					t.Errorf("got %s", got.HTML)
				}
			})
		}
	}
}

// gsm7 are the letters of an SMS that takes 160 of them (3GPP TS 23.038), as far as our texts need any.
var gsm7 = regexp.MustCompile(`^[A-Za-z0-9 \n@$_!"#%&'()*+,\-./:;<=>?ÄÖÜäöüß]*$`)

// MAIL-35, MAIL-46, MAIL-47; OTP-41: an SMS with a code fits in one, ends with the code bound to the domain, and names
// nobody.
func TestTemplatesSMS(t *testing.T) {
	builtin := templates(t, nil)
	codes := []string{notify.CodeSMS, notify.PhoneConfirm, notify.PasswordClosed}
	links := []string{notify.EmailChangeOld, notify.PhoneChangeOld}
	for _, kind := range notify.Kinds() {
		if !notify.GoesBy(kind, notify.SMS) {
			if _, _, err := builtin.RenderSMS(kind, "en", data()); !notify.Classify(err).Permanent {
				t.Errorf("%s: got %v", kind, err)
			}
			continue
		}
		for _, language := range []string{"en", "de"} {
			for _, purpose := range []string{"", notify.ToVerify, notify.ToLogin, notify.ToReset, notify.ToStepUp, notify.ToChange} {
				d := data()
				d.Purpose, d.ExpiresIn = purpose, 10*time.Minute
				got, used, err := builtin.RenderSMS(kind, language, d)
				if err != nil || used != language || !gsm7.MatchString(got) || !strings.Contains(got, "Acme") {
					t.Fatalf("%s: got %q in %s, %v", kind, got, used, err)
				}
				if carries := strings.HasSuffix(got, "\n@acme.test #123456"); carries != slices.Contains(codes, kind) {
					t.Errorf("%s: got %q", kind, got)
				}
				most := 2 * 153 // two segments
				if strings.Contains(got, "123456") {
					most = 160
					if !strings.Contains(got, "10 minutes") && !strings.Contains(got, "10 Minuten") {
						t.Errorf("%s: got %q", kind, got)
					}
				}
				if n := utf8.RuneCountInString(got); n > most {
					t.Errorf("%s: %d characters: %q", kind, n, got)
				}
				if strings.Contains(got, d.Link.Reveal()) != slices.Contains(links, kind) || strings.Contains(got, d.Name+" ") || strings.Contains(got, d.To) {
					t.Errorf("%s: got %q", kind, got)
				}
			}
		}
	}
	login := data()
	login.Purpose, login.ExpiresIn = notify.ToLogin, 10*time.Minute
	got, _, err := builtin.RenderSMS(notify.CodeSMS, "en", login)
	if want := "123456 is your code to log in to Acme. Valid for 10 minutes. Do not pass it on.\n\n@acme.test #123456"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// MAIL-46: a code says what it is for.
func TestTemplatesCode(t *testing.T) {
	seen := map[string]bool{}
	for _, purpose := range []string{notify.ToVerify, notify.ToLogin, notify.ToReset, notify.ToStepUp, notify.ToChange} {
		for _, language := range []string{"en", "de"} {
			d := data()
			d.Purpose, d.ExpiresIn = purpose, 10*time.Minute
			got := render(t, templates(t, nil), notify.CodeEmail, language, d)
			if seen[got.Text] || !strings.Contains(got.Text, "\n123456\n") || !strings.Contains(got.Text, "10 M") && !strings.Contains(got.Text, "10 m") {
				t.Errorf("%s: got %s", purpose, got.Text)
			}
			seen[got.Text] = true
		}
	}
}

// MAIL-38: nothing in it is of who caused it.
func TestTemplatesAccountExists(t *testing.T) {
	made := templates(t, map[string]string{"account_exists/en.txt": "{{.Name}}|{{.Device}}|{{.Product}}"})
	d := data()
	d.Name, d.Device = "visit evil.example", "visit evil.example"
	if got := render(t, made, notify.AccountExists, "en", d).Text; got != "||Acme\n" {
		t.Errorf("got %q", got)
	}
}

func TestTemplatesText(t *testing.T) {
	got := render(t, templates(t, nil), notify.UsernameChanged, "en", data())
	want := rendered{
		Subject: "Your username was changed", Language: "en", HTML: got.HTML,
		Text: `Hello Bob,

The username of your Acme account was changed from bob to bobby.

Time: 2026-11-05 14:03 UTC
Address: 192.0.2.7
Device: Firefox on Linux

If this was not you, please change your password now and tell us: https://acme.test/help

Acme sent this message to bob@example.com automatically.
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	bare := render(t, templates(t, nil), notify.UsernameChanged, "de", notify.Data{Product: "Acme", To: "bob@example.com"})
	if want := `Guten Tag,

Der Benutzername Ihres Kontos bei Acme wurde geändert.

Falls Sie das nicht waren, ändern Sie bitte sofort Ihr Passwort und sagen Sie dem Team von Acme Bescheid.

Acme hat diese Nachricht automatisch an bob@example.com gesendet.
`; bare.Text != want {
		t.Error(cmp.Diff(want, bare.Text))
	}
}

// MAIL-38, SEC-102; case 11.
func TestTemplatesEscape(t *testing.T) {
	made := templates(t, map[string]string{
		"token_reuse/en.subject.txt": "{{.Name}}: {{.User.Company}}",
		"token_reuse/en.txt":         "[{{.Name}}] [{{.User.Company}}] [{{$x := .Device}}{{$x}}]{{range .Vars}} {{.}}{{end}}",
		"token_reuse/en.html":        `<a title="{{.Name}}">{{.Name}}</a> <a href="{{.SupportURL}}">x</a> {{.User.Company}}`,
	})
	d := data()
	d.Name, d.Device = `<b>x</b>"><a href="https://evil.example">`, "a\r\nb\x1b[31m"
	d.SupportURL = "javascript:alert(1)"
	d.User = &account{Company: "Ini\r\ntech\u202e\x00\u2028Inc"}
	got := render(t, made, notify.TokenReuse, "en", d)
	want := rendered{
		Subject: `<b>x</b>"><a href="https://evil.example">: Ini tech Inc`,
		Text:    `[<b>x</b>"><a href="https://evil.example">] [Ini tech Inc] [a b [31m] Berlin` + "\n",
		HTML: `<a title="&lt;b&gt;x&lt;/b&gt;&#34;&gt;&lt;a href=&#34;https://evil.example&#34;&gt;">` +
			`&lt;b&gt;x&lt;/b&gt;&#34;&gt;&lt;a href=&#34;https://evil.example&#34;&gt;</a> <a href="#ZgotmplZ">x</a> `,
		Language: "en",
	}
	got.HTML, _, _ = strings.Cut(got.HTML, "Ini")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	d.Name = strings.Repeat("ä", 100)
	got = render(t, made, notify.TokenReuse, "en", d)
	if name, _, _ := strings.Cut(got.Subject, ":"); name != strings.Repeat("ä", 63)+"…" {
		t.Errorf("MAIL-38: got %q", name)
	}
}

// MAIL-38: a name that a stranger chose is no link.
func TestTemplatesUnlinkNames(t *testing.T) {
	for _, kind := range []string{
		notify.EmailConfirm, notify.EmailConfirmAgain, notify.EmailChangeNew, notify.PasswordReset, notify.PasswordFirst, notify.CodeEmail,
	} {
		d := data()
		d.Name = "http://evil.example/x www.evil。example J. R. <b>Smith</b>"
		got := render(t, templates(t, nil), kind, "en", d)
		if want := "Hello http: //evil. example/x www. evil。 example J. R. <b>Smith</b>,\n"; !strings.HasPrefix(got.Text, want) {
			t.Errorf("%s: got %s", kind, got.Text)
		}
	}
}

// MAIL-36, MAIL-39, MAIL-41; HOOK-66; case 14.
func TestTemplatesOverride(t *testing.T) {
	made := templates(t, map[string]string{
		"email_confirm/de.txt": "{{.User.Company}} {{.User.Plan}} {{.User.Key}} {{.Vars.City}} {{.Link}} {{datetime .ExpiresAt}}",
		"email_confirm/.note":  "an editor's file",
	})
	plan := "pro\nfree"
	d := data()
	d.User = &account{Company: "Initech", Plan: &plan, Key: "hunter2"}
	d.ExpiresAt = d.When
	builtin := templates(t, nil)
	want := render(t, builtin, notify.EmailConfirm, "de", d)
	want.Text = "Initech pro free [redacted] Berlin https://acme.test/confirm#token=ec_a-b_c 2026-11-05 14:03 UTC\n"
	if diff := cmp.Diff(want, render(t, made, notify.EmailConfirm, "de", d)); diff != "" {
		t.Errorf("the overridden file: %s", diff)
	}
	for _, tt := range [][2]string{{notify.EmailConfirm, "en"}, {notify.TokenReuse, "de"}} {
		if diff := cmp.Diff(render(t, builtin, tt[0], tt[1], d), render(t, made, tt[0], tt[1], d)); diff != "" {
			t.Errorf("%s: %s", tt, diff)
		}
	}
	made = templates(t, map[string]string{
		"layout.html":         `{{define "header"}}<top>{{end}}{{define "footer"}}<bottom>{{end}}{{define "button"}}<b>{{end}}`,
		"token_reuse/en.html": "",
	})
	if got := render(t, made, notify.EmailConfirm, "en", d).HTML; !strings.HasPrefix(got, "<top>") {
		t.Errorf("the layout: got %s", got)
	}
	if got := render(t, made, notify.TokenReuse, "en", d).HTML; got != "" {
		t.Errorf("no HTML: got %s", got)
	}
}

// MAIL-40; case 15: further languages, half translated ones too.
func TestTemplatesLanguages(t *testing.T) {
	made := templates(t, map[string]string{
		"token_reuse/fr.subject.txt":   "Session terminée",
		"token_reuse/fr.txt":           "Bonjour, {{duration .ExpiresIn}}",
		"email_confirm/fr.subject.txt": "Confirmez votre adresse",
	})
	if diff := cmp.Diff([]string{"en", "de", "fr"}, made.Languages()); diff != "" {
		t.Error(diff)
	}
	want := rendered{Subject: "Session terminée", Text: "Bonjour, 24 h\n", Language: "fr"} // and no English HTML
	if diff := cmp.Diff(want, render(t, made, notify.TokenReuse, "fr-CA", data())); diff != "" {
		t.Error(diff)
	}
	english := render(t, made, notify.EmailConfirm, "en", data())
	got := render(t, made, notify.EmailConfirm, "fr", data())
	if got.Subject != "Confirmez votre adresse" || got.Text != english.Text || got.HTML == "" || got.Language != "fr" {
		t.Errorf("got %+v", got)
	}
	if got := render(t, made, notify.SocialLinked, "fr, de;q=0.5", data()).Language; got != "de" {
		t.Errorf("got %s", got)
	}
}

// MAIL-40; case 15.
func TestMatch(t *testing.T) {
	builtin := templates(t, nil)
	for _, tt := range []struct {
		want        string
		preferences []string
	}{
		{"de", []string{"de-AT"}},
		{"de", []string{"de_CH"}},
		{"de", []string{"DE"}},
		{"en", []string{"en-GB"}},
		{"en", []string{"xx"}},
		{"en", nil},
		{"en", []string{"", ""}},
		{"de", []string{"xx", "de"}}, // the user's, then the program's
		{"de", []string{"fr;q=0.9, de;q=0.8, en;q=0.7"}},
		{"en", []string{"de;q=0.1, en"}},
		{"de", []string{"en;q=0, de;q=0.1"}},
		{"de", []string{"not a tag, de"}},
		{"en", []string{"*"}},
		{"en", []string{strings.Repeat("fr,", 1000) + "de"}},
		{"en", []string{"\x00\xff"}},
	} {
		if got := builtin.Match(tt.preferences...); got != tt.want {
			t.Errorf("%.40q: got %s, want %s", tt.preferences, got, tt.want)
		}
	}
}

// MAIL-37; case 14.
func TestTemplatesRefused(t *testing.T) {
	for _, tt := range []struct {
		name, file, text, want string
	}{
		{"a parse error", "email_confirm/en.html", "\n{{if}}", "email_confirm/en.html:2"},
		{"an unknown field", "email_confirm/de.txt", "\n\n{{.Nothing}}", "email_confirm/de.txt:3"},
		{"a missing key", "email_confirm/en.txt", "{{.Vars.Town}}", "email_confirm/en.txt:1"},
		{"a missing key in a subject", "email_confirm/en.subject.txt", "{{.Vars.Town}}", "email_confirm/en.subject.txt:1"},
		{"a field that the user lacks", "email_confirm/en.html", "{{.User.Salary}}", "email_confirm/en.html:1"},
		{"what only shows without a name", "email_confirm/en.txt", "x{{if not .Name}}{{.Nothing}}{{end}}", "email_confirm/en.txt:1"},
		{"an unknown function", "email_confirm/en.txt", "{{shout .Name}}", "email_confirm/en.txt:1"},
		{"an unknown template", "email_confirm/en.html", `{{template "nothing" .}}`, "email_confirm/en.html:1"},
		{"HTML that cannot be escaped", "email_confirm/en.html", `<a href="{{if .Name}}"{{end}}>`, "email_confirm/en.html:1"},
		{"an empty subject", "email_confirm/en.subject.txt", " ", "email_confirm/en.subject.txt"},
		{"an empty text", "email_confirm/en.txt", "\n", "email_confirm/en.txt"},
		{"an unknown kind", "email_confrim/en.txt", "x", "email_confrim/en.txt"},
		{"an unknown file", "email_confirm/en.md", "x", "email_confirm/en.md"},
		{"a mail of what goes by SMS", "code_sms/en.txt", "x", "code_sms/en.txt"},
		{"an SMS of what goes by mail", "email_confirm/en.sms.txt", "x", "email_confirm/en.sms.txt"},
		{"phrases of SMS", "phrases/en.sms.txt", "x", "phrases/en.sms.txt"},
		{"an empty SMS", "code_sms/en.sms.txt", "\n", "code_sms/en.sms.txt"},
		{"a missing key in an SMS", "code_sms/de.sms.txt", "{{.Vars.Town}}", "code_sms/de.sms.txt:1"},
		{"a file at the root", "README", "x", "README"},
		{"a file too deep", "email_confirm/en/x.txt", "x", "email_confirm/en/x.txt"},
		{"an unknown language", "email_confirm/english.txt", "x", "email_confirm/english.txt"},
		{"a language in other letters", "email_confirm/de-at.txt", "x", "email_confirm/de-at.txt"},
		{"a subject of phrases", "phrases/en.subject.txt", "x", "phrases/en.subject.txt"},
		{"an error in a shared file, once", "phrases/en.txt", "{{if}}", "phrases/en.txt:1"},
	} {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			_, err := notify.NewTemplates(files(map[string]string{tt.file: tt.text}), notify.Data{User: &account{}})
			if err == nil || strings.Count(err.Error(), tt.want) != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("tells all errors at once", func(t *testing.T) {
		_, err := notify.NewTemplates(files(map[string]string{
			"email_confirm/en.txt": "{{.A}}", "token_reuse/de.html": "{{.B}}",
		}), notify.Data{})
		if err == nil || !strings.Contains(err.Error(), "email_confirm/en.txt:1") || !strings.Contains(err.Error(), "token_reuse/de.html:1") {
			t.Errorf("got %v", err)
		}
	})
}

// MAIL-18: a template that fails at sending is a permanent failure.
func TestRenderFails(t *testing.T) {
	made := templates(t, map[string]string{"email_confirm/en.txt": "{{.Vars.City}}"})
	d := data()
	d.Vars = nil
	for kind, d := range map[string]notify.Data{notify.EmailConfirm: d, "unknown": data()} {
		if _, _, _, _, err := made.Render(kind, "en", d); !notify.Classify(err).Permanent {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}

func TestDurations(t *testing.T) {
	made := templates(t, map[string]string{
		"token_reuse/en.txt": "{{duration .ExpiresIn}}", "token_reuse/de.txt": "{{duration .ExpiresIn}}",
	})
	for d, want := range map[time.Duration][2]string{
		time.Minute:      {"1 minute", "1 Minute"},
		90 * time.Minute: {"90 minutes", "90 Minuten"},
		time.Hour:        {"1 hour", "1 Stunde"},
		24 * time.Hour:   {"24 hours", "24 Stunden"},
		36 * time.Hour:   {"36 hours", "36 Stunden"},
		72 * time.Hour:   {"3 days", "3 Tage"},
	} {
		for i, language := range []string{"en", "de"} {
			with := data()
			with.ExpiresIn = d
			if got := render(t, made, notify.TokenReuse, language, with).Text; got != want[i]+"\n" {
				t.Errorf("%s: got %s, want %s", d, got, want[i])
			}
		}
	}
}
