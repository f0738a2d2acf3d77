package notify_test

import (
	"fmt"
	"testing/fstest"
	"time"

	"github.com/roster-go/roster/notify"
)

// A program gives its own texts for what it wants to say otherwise; usually they are in an embed.FS. Everything else
// stays as it is.
func ExampleNewTemplates() {
	overrides := fstest.MapFS{
		"email_confirm/en.subject.txt": {Data: []byte("One more step, {{.User.Nick}}")},
		"email_confirm/en.txt": {Data: []byte(`Confirm your address within {{duration .ExpiresIn}}:

{{.Link}}

{{template "unasked" .}}
`)},
	}
	type player struct{ Nick string }
	templates, err := notify.NewTemplates(overrides, notify.Data{User: &player{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	subject, text, _, language, err := templates.Render(notify.EmailConfirm, "en-GB, de;q=0.8", notify.Data{
		Product: "Chess", User: &player{Nick: "Ada"}, Link: "https://chess.example/confirm#token=ec_x", ExpiresIn: 24 * time.Hour,
	})
	fmt.Println(language, err)
	fmt.Println(subject)
	fmt.Println(text)
	// Output:
	// en <nil>
	// One more step, Ada
	// Confirm your address within 24 hours:
	//
	// https://chess.example/confirm#token=ec_x
	//
	// If you did not ask for this, you need not do anything. If it happens again, please tell the Chess team.
}

// A mistake in a template is found when the program starts.
func ExampleNewTemplates_mistake() {
	_, err := notify.NewTemplates(fstest.MapFS{
		"email_confirm/de.txt": {Data: []byte("Hallo {{.Vars.Nick}}")},
	}, notify.Data{Vars: map[string]any{"Town": "Berlin"}})
	fmt.Println(err)
	// Output:
	// notify: templates: template: email_confirm/de.txt:1:13: executing "email_confirm/de.txt" at <.Vars.Nick>: map has no entry for key "Nick"
}

func ExampleParseSMTP() {
	cfg, err := notify.ParseSMTP("smtp://acme:s3cret@mail.example.com?from=Acme <no-reply@acme.example>&tls=starttls")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Host, cfg.TLS, cfg.From, cfg.Password)
	sender, err := notify.NewSMTP(cfg)
	fmt.Println(sender != nil, err)
	// Output:
	// mail.example.com starttls Acme <no-reply@acme.example> [redacted]
	// true <nil>
}
