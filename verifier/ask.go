package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// asker sends the requests of a verifier.
type asker struct{ client *http.Client }

// maxRedirects is how often a server may point to another path of its own.
const maxRedirects = 3

func newAsker(cfg Config) asker {
	client := &http.Client{}
	if cfg.Client != nil {
		own := *cfg.Client
		client = &own
	}
	client.Timeout = 0 // each request has a deadline
	client.Jar = nil
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		from := via[0].URL
		if r.URL.Host != from.Host || r.URL.Scheme != from.Scheme {
			return errors.New("a redirect to another host is not followed")
		}
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		return nil
	}
	return asker{client}
}

// statusError is an answer other than 200.
type statusError struct {
	address string
	status  int
}

// Error implements error. It leaves out the query.
func (e statusError) Error() string {
	address, _, _ := strings.Cut(e.address, "?")
	return fmt.Sprintf("GET %s: the answer was %d", address, e.status)
}

// get returns the body of an answer 200, of so many bytes at most, and its header.
func (a asker) get(ctx context.Context, address string, limit int64, most time.Duration, prove func(r *http.Request)) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	prove(r)
	response, err := a.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, nil, statusError{address, response.StatusCode}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(text)) > limit {
		return nil, nil, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return text, response.Header, nil
}
