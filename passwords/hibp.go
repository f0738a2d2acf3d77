package passwords

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // the protocol's; it protects nothing here
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/roster-go/roster"
)

// HIBP asks a service of Have I Been Pwned's range protocol (k-anonymity) whether a password was made public: it is
// told the first five hexadecimal digits of the password's SHA-1, and answers with all that it knows under them, padded so that its
// size tells nothing. The zero value asks api.pwnedpasswords.com.
type HIBP struct {
	// URL is the service, https; "" means https://api.pwnedpasswords.com.
	URL string
	// Client makes the requests, without following redirects or keeping cookies; nil means http.DefaultClient.
	Client *http.Client
}

const (
	hibpPrefix    = 5       // digits
	maxHIBPAnswer = 1 << 20 // bytes; a range takes some 40,000
)

// check returns the fault of the settings.
func (h HIBP) check() error {
	u, err := url.Parse(h.base())
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("passwords: HIBP.URL is no https URL without user, query and fragment")
	}
	return nil
}

func (h HIBP) base() string {
	return cmp.Or(strings.TrimRight(h.URL, "/"), "https://api.pwnedpasswords.com")
}

// Breached implements BreachChecker.
func (h HIBP) Breached(ctx context.Context, password roster.Secret) (bool, error) {
	if err := h.check(); err != nil {
		return false, err
	}
	sum := sha1.Sum([]byte(password.Reveal())) //nolint:gosec // see above
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base()+"/range/"+digest[:hibpPrefix], nil)
	if err != nil {
		return false, withoutURL(err)
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", "roster")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if h.Client != nil {
		client.Transport, client.Timeout = h.Client.Transport, h.Client.Timeout
	}
	response, err := client.Do(request)
	if err != nil {
		return false, withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", response.StatusCode)
	}
	return inRange(io.LimitReader(response.Body, maxHIBPAnswer), digest[hibpPrefix:])
}

// inRange looks for the rest of a digest among the lines "rest:count". Those that pad the answer have the count 0.
func inRange(answer io.Reader, rest string) (bool, error) {
	lines := bufio.NewScanner(answer)
	for lines.Scan() {
		digits, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok {
			return false, errors.New("the answer is no list of hashes")
		}
		if strings.EqualFold(digits, rest) {
			return strings.Trim(count, "0") != "", nil
		}
	}
	return false, lines.Err()
}

// withoutURL leaves the prefix of the hash out of an error, and so out of logs.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
