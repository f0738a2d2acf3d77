package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster/notify"
)

func TestMessageIsRedacted(t *testing.T) {
	m := sample()
	m.Subject, m.Text, m.HTML, m.Token, m.Code = "subject-s3cret", "text-s3cret", "html-s3cret", "token-s3cret", "code-s3cret"
	m.Link, m.To = "link-s3cret", "to-s3cret"
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+"\n", m)
		fmt.Fprintf(&out, verb+"\n", &m)
		fmt.Fprintf(&out, verb+"\n", struct{ M notify.Message }{m})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		logger := slog.New(handler)
		logger.InfoContext(t.Context(), "m", slog.Any("m", m), slog.Any("p", &m), slog.Any("s", struct{ M notify.Message }{m}))
	}
	if err := json.NewEncoder(&out).Encode(m); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "s3cret") {
		t.Error(out.String())
	}
	if !strings.Contains(out.String(), "message 01890a5d-ac96-774b-bcce-b302099a8057 (email_confirm by email)") {
		t.Error(out.String())
	}
}

// MAIL-28.
func TestClassify(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		name string
		err  error
		want notify.Failure
	}{
		{"takes plain errors as temporary", cause, notify.Failure{}},
		{"takes nil as nothing", nil, notify.Failure{}},
		{"finds permanent errors", notify.Permanent(cause), notify.Failure{Permanent: true}},
		{"finds waits", notify.After(cause, time.Minute), notify.Failure{After: time.Minute}},
		{"finds misconfigurations", notify.Misconfigured(cause), notify.Failure{Misconfigured: true}},
		{"looks through wrappings", fmt.Errorf("send: %w", notify.Permanent(cause)), notify.Failure{Permanent: true}},
		{"takes the outermost", notify.Permanent(notify.After(cause, 1)), notify.Failure{Permanent: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := notify.Classify(tt.err); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if tt.err != nil && !errors.Is(tt.err, cause) {
				t.Error("the cause is lost")
			}
		})
	}
	if notify.Permanent(nil) != nil || notify.After(nil, 1) != nil || notify.Misconfigured(nil) != nil {
		t.Error("nil became an error")
	}
}
