package notify_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

func sms(text string) notify.Message {
	return notify.Message{ID: roster.ID{15: 7}, Kind: notify.CodeSMS, Channel: notify.SMS, To: "+4915112345678", Text: text, Code: "123456"}
}

// gateway returns a gateway that hands to a server of the test.
func gateway(t *testing.T, handle http.HandlerFunc) *notify.Gateway {
	t.Helper()
	server := httptest.NewTLSServer(handle)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	made, err := notify.NewGateway(notify.GatewayConfig{
		URL: server.URL + "/send?account=42", Headers: map[string]roster.Secret{"Authorization": "Bearer hunter2"}, RootCAs: roots,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// MAIL-15, MAIL-32: what the gateway gets.
func TestGatewayRequest(t *testing.T) {
	type request struct {
		Method, URL, Authorization, Key, Type string
		Body                                  map[string]string
	}
	var got []request
	g := gateway(t, func(_ http.ResponseWriter, r *http.Request) {
		x := request{r.Method, r.URL.String(), r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"), r.Header.Get("Content-Type"), nil}
		_ = json.NewDecoder(r.Body).Decode(&x.Body)
		got = append(got, x)
	})
	m := sms("Grüße & <Küsse>\n\n@acme.test #123456")
	for range 2 {
		if err := g.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	id := m.ID.String()
	want := request{"POST", "/send?account=42", "Bearer hunter2", id, "application/json", map[string]string{"id": id, "to": m.To, "text": m.Text}}
	if diff := cmp.Diff([]request{want, want}, got); diff != "" {
		t.Error(diff)
	}
	g.CloseIdleConnections()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, g); strings.Contains(text, "hunter2") {
			t.Errorf("%s shows a header: %s", format, text)
		}
	}
}

// MAIL-17, MAIL-18, MAIL-32: what the answers mean.
func TestGatewayAnswers(t *testing.T) {
	for status, want := range map[int]notify.Failure{
		301: {Misconfigured: true}, 307: {Misconfigured: true},
		400: {Permanent: true}, 401: {Permanent: true}, 403: {Permanent: true}, 404: {Permanent: true}, 413: {Permanent: true},
		408: {}, 425: {}, 429: {After: 90 * time.Second}, 500: {}, 503: {After: 2 * time.Minute},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			calls := 0
			g := gateway(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Location", "/elsewhere")
				switch status {
				case 429:
					w.Header().Set("Retry-After", "90")
				case 503:
					w.Header().Set("Date", "Thu, 05 Nov 2026 14:00:00 GMT")
					w.Header().Set("Retry-After", "Thu, 05 Nov 2026 14:02:00 GMT")
				case 500:
					w.Header().Set("Retry-After", "soon")
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "your text was: the code is 123456")
			})
			err := g.Send(t.Context(), sms("the code is 123456"))
			if err == nil || notify.Classify(err) != want || calls != 1 {
				t.Errorf("got %+v, %v after %d calls", notify.Classify(err), err, calls)
			}
			if err.Error() != fmt.Sprintf("gateway: status %d", status) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, status := range []int{200, 201, 202, 204} {
		g := gateway(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := g.Send(t.Context(), sms("x")); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// MAIL-32: an answer without end holds up nothing, and a gateway that is not there is a temporary failure that tells
// neither the URL nor its keys.
func TestGatewayFails(t *testing.T) {
	t.Run("reads a bounded answer", func(t *testing.T) {
		g := gateway(t, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
		if err := g.Send(t.Context(), sms("x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("obeys the context", func(t *testing.T) {
		g := gateway(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client left
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := g.Send(ctx, sms("x")); err == nil || notify.Classify(err) != (notify.Failure{}) || strings.Contains(err.Error(), "account") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refuses a certificate that nobody trusts", func(t *testing.T) {
		server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was asked") }))
		t.Cleanup(server.Close)
		g, err := notify.NewGateway(notify.GatewayConfig{URL: server.URL + "?key=hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		err = g.Send(t.Context(), sms("x"))
		if !notify.Classify(err).Misconfigured || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		g, err := notify.NewGateway(notify.GatewayConfig{URL: "http://127.0.0.1:1/?key=hunter2", Development: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Send(t.Context(), sms("x")); err == nil || notify.Classify(err) != (notify.Failure{}) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
	g := gateway(t, func(http.ResponseWriter, *http.Request) { t.Error("was asked") })
	mail := sms("x")
	mail.Channel = notify.Email
	lines := sms("x")
	lines.To = "+49\r\n1"
	for name, m := range map[string]notify.Message{
		"a mail": mail, "two lines as number": lines, "four segments": sms(strings.Repeat("a", 3*153+1)), "four in Cyrillic": sms(strings.Repeat("ж", 3*67+1)),
	} {
		if err := g.Send(t.Context(), m); !notify.Classify(err).Permanent {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// MAIL-32: https with a header for the secret.
func TestNewGateway(t *testing.T) {
	for name, cfg := range map[string]notify.GatewayConfig{
		"no URL":                  {},
		"plain http":              {URL: "http://sms.example.com/"},
		"plain http to localhost": {URL: "http://localhost/"},
		"plain http elsewhere":    {URL: "http://sms.example.com/", Development: true},
		"no host":                 {URL: "https:///send"},
		"another scheme":          {URL: "ftp://sms.example.com/"},
		"a password in the URL":   {URL: "https://ann:hunter2@sms.example.com/"},
		"a fragment":              {URL: "https://sms.example.com/#hunter2"},
		"two lines in a header":   {URL: "https://sms.example.com/", Headers: map[string]roster.Secret{"X-Key": "hunter2\r\nX: y"}},
		"no name of a header":     {URL: "https://sms.example.com/", Headers: map[string]roster.Secret{"X Key": "hunter2"}},
		"a header of ours":        {URL: "https://sms.example.com/", Headers: map[string]roster.Secret{"content-type": "hunter2"}},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := notify.NewGateway(cfg); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, url := range []string{"http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/", "https://sms.example.com/"} {
		if _, err := notify.NewGateway(notify.GatewayConfig{URL: url, Development: true}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// MAIL-32.
func TestSegments(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 1},
		{"one of GSM", strings.Repeat("ä", 160), 1},
		{"two of GSM", strings.Repeat("a", 161), 2},
		{"two of GSM, full", strings.Repeat("a", 306), 2},
		{"three of GSM", strings.Repeat("a", 307), 3},
		{"three of GSM, full", strings.Repeat("a", 459), 3},
		{"four of GSM", strings.Repeat("a", 460), 4},
		{"letters that take two places", strings.Repeat("€", 80), 1},
		{"one place too many", strings.Repeat("€", 80) + "a", 2},
		{"no letter is cut in two", strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), 3},
		{"one in UCS-2", strings.Repeat("ж", 70), 1},
		{"two in UCS-2", strings.Repeat("ж", 71), 2},
		{"one letter turns all", strings.Repeat("a", 70) + "“", 2},
		{"three in UCS-2, full", strings.Repeat("ж", 201), 3},
		{"four in UCS-2", strings.Repeat("ж", 202), 4},
		{"emoji take two units", strings.Repeat("😀", 35), 1},
		{"emoji are not cut in two", strings.Repeat("😀", 67), 3},
		{"emoji, one more", strings.Repeat("😀", 36), 2},
	} {
		if got := notify.Segments(tt.text); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
