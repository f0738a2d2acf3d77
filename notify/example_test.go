package notify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing/fstest"
	"time"

	"github.com/roster-go/roster"
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

// A gateway gets the SMS as JSON, and the id as a header too: a message that comes twice has the same one. A gateway
// that wants another form is a Sender of the program's own.
func ExampleNewGateway() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"))
		fmt.Println(string(body))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer service.Close()
	gateway, err := notify.NewGateway(notify.GatewayConfig{
		URL:         service.URL + "/send",
		Headers:     map[string]roster.Secret{"Authorization": "Bearer key"},
		Development: true, // takes http, on this machine
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.CloseIdleConnections()
	// The worker of the outbox does this: usersrepo.Config{Notify: mixins.NotifyConfig{SMS: gateway, …}}.
	id, err := roster.ParseID("0198c0de-0000-7000-8000-000000000001")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = gateway.Send(context.Background(), notify.Message{
		ID: id, Kind: notify.CodeSMS, Channel: notify.SMS, To: "+4915112345678", Text: "123456 is your code.",
	})
	fmt.Println(err)
	// Output:
	// POST /send Bearer key 0198c0de-0000-7000-8000-000000000001
	// {"id":"0198c0de-0000-7000-8000-000000000001","text":"123456 is your code.","to":"+4915112345678"}
	// <nil>
}
