package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// GatewayConfig says to which HTTP gateway SMS are handed.
type GatewayConfig struct {
	// URL takes the messages, by https.
	URL string
	// Headers are sent along, such as Authorization.
	Headers map[string]roster.Secret
	// Development also takes http, to the same machine.
	Development bool
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
}

// Gateway sends SMS through a service that takes them by HTTP: POST of JSON {"id": …, "to": "+49…", "text": …}, where
// the id is the same at every try, and also the header Idempotency-Key. A status of 2xx means that it was taken.
type Gateway struct {
	url     string
	headers http.Header
	client  *http.Client
}

// The gateway's answer is read to its end, so that the connection can be used again, but no further than maxAnswer.
const (
	maxAnswer      = 64 << 10
	gatewayTimeout = time.Minute
)

// NewGateway checks cfg, all at once. It does not connect. A request is given up after a minute, or sooner with its
// context.
func NewGateway(cfg GatewayConfig) (*Gateway, error) {
	var faults []error
	if err := checkGatewayURL(cfg.URL, cfg.Development); err != nil {
		faults = append(faults, err)
	}
	headers := http.Header{}
	for name, value := range cfg.Headers {
		text := value.Reveal()
		if !isToken(name) || oneLine(text) != text || !isASCII(text) {
			faults = append(faults, fmt.Errorf("header %q is none, or its value is not one line of ASCII", name))
		}
		switch canonical := textproto.CanonicalMIMEHeaderKey(name); canonical {
		case "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Host", "Idempotency-Key":
			faults = append(faults, fmt.Errorf("header %s is not free to set", canonical))
		}
		headers.Set(name, text)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("notify: gateway: %w", errors.Join(faults...))
	}
	headers.Set("Content-Type", "application/json")
	// There is no proxy: the environment does not decide who reads codes.
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer,
	}
	return &Gateway{url: cfg.URL, headers: headers, client: &http.Client{
		Transport: transport, Timeout: gatewayTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func checkGatewayURL(text string, development bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "": // the error would repeat the URL
		return errors.New("want the URL of a gateway, as in https://sms.example.com/send")
	case u.User != nil:
		return errors.New("a password belongs into a header, not into the URL")
	case u.Scheme == "https", u.Scheme == "http" && development && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("want https; http is for development, to this machine")
}

// isToken reports whether text can be the name of a header (RFC 9110, section 5.6.2).
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// String does not show the headers.
func (g *Gateway) String() string { return "SMS gateway" }

// Format implements fmt.Formatter: %+v and %#v would print the headers otherwise.
func (g *Gateway) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, g.String()) }

// LogValue implements slog.LogValuer.
func (g *Gateway) LogValue() slog.Value { return slog.StringValue(g.String()) }

// Send hands an SMS of at most three segments to the gateway; a longer one is a permanent failure. What the gateway
// answers decides: 408, 425, 429 and from 500 on are temporary, and Retry-After is obeyed; every other status beside
// 2xx is permanent.
func (g *Gateway) Send(ctx context.Context, m Message) error {
	if m.Channel != SMS {
		return Permanent(fmt.Errorf("gateway: cannot send %s", m.Channel))
	}
	if err := checkAddress(SMS, m.To); err != nil {
		return Permanent(fmt.Errorf("gateway: %w", err))
	}
	if n := Segments(m.Text); n > maxSegments {
		return Permanent(fmt.Errorf("gateway: the text takes %d segments, more than %d", n, maxSegments))
	}
	body, err := json.Marshal(map[string]string{"id": m.ID.String(), "to": m.To, "text": m.Text})
	if err != nil {
		return Permanent(fmt.Errorf("gateway: %w", err))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return Permanent(errors.New("gateway: the URL cannot be used"))
	}
	r.Header = g.headers.Clone()
	r.Header.Set("Idempotency-Key", m.ID.String())
	answer, err := g.client.Do(r)
	if err != nil {
		return judgeError(err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // it may repeat the text: nobody is told
	return judgeStatus(answer)
}

// CloseIdleConnections closes the connections that no SMS is using. The worker calls it when nothing is due.
func (g *Gateway) CloseIdleConnections() { g.client.CloseIdleConnections() }

// judgeError takes the URL from an error, since its query may hold a key. A certificate that is wrong is for the
// operator to mend.
func judgeError(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Misconfigured(fmt.Errorf("gateway: %w", err))
	}
	return fmt.Errorf("gateway: %w", err)
}

func judgeStatus(answer *http.Response) error {
	status := answer.StatusCode
	err := fmt.Errorf("gateway: status %d", status)
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		return Misconfigured(err) // the gateway is elsewhere, and the message still wanted
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return After(err, retryAfter(answer.Header))
	}
	return Permanent(err)
}

// retryAfter is how long the other side wants to be left alone (RFC 9110, section 10.2.3): in seconds, or until a time by
// its own clock; 0 if it does not say.
func retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	now, dateErr := http.ParseTime(h.Get("Date"))
	if err != nil || dateErr != nil {
		return 0
	}
	return max(until.Sub(now), 0)
}
