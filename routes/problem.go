package routes

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// statuses is the one table from codes to HTTP statuses. What is not in it is 500 internal.
var statuses = map[roster.Code]int{
	roster.CodeMalformedBody:      http.StatusBadRequest,
	roster.CodeInvalidParameter:   http.StatusBadRequest,
	roster.CodeInvalidCursor:      http.StatusBadRequest,
	roster.CodeExpiredToken:       http.StatusBadRequest,
	roster.CodeUnauthenticated:    http.StatusUnauthorized,
	roster.CodeInvalidToken:       http.StatusUnauthorized, // of a mailed link: 400
	roster.CodeTokenExpired:       http.StatusUnauthorized,
	roster.CodeSessionRevoked:     http.StatusUnauthorized,
	roster.CodeSessionExpired:     http.StatusUnauthorized,
	roster.CodeInvalidCredentials: http.StatusUnauthorized,
	roster.CodeInvalidRefresh:     http.StatusUnauthorized,
	roster.CodeTokenReused:        http.StatusUnauthorized,
	roster.CodeForbidden:          http.StatusForbidden,
	roster.CodeCSRFFailed:         http.StatusForbidden,
	roster.CodeBanned:             http.StatusForbidden,
	roster.CodeArchived:           http.StatusForbidden,
	roster.CodeNotVerified:        http.StatusForbidden,
	roster.CodeReauthentication:   http.StatusForbidden,
	roster.CodeRegistrationClosed: http.StatusForbidden,
	roster.CodeInvalidPassword:    http.StatusForbidden,
	roster.CodeNotFound:           http.StatusNotFound,
	roster.CodeIdentifierTaken:    http.StatusConflict,
	roster.CodePasswordAlreadySet: http.StatusConflict,
	roster.CodePasswordNotSet:     http.StatusConflict,
	roster.CodeSameValue:          http.StatusConflict,
	roster.CodeInvalidCode:        http.StatusBadRequest,
	roster.CodeAlreadyConfirmed:   http.StatusConflict,
	roster.CodeLastSuperuser:      http.StatusConflict,
	roster.CodeLastCredential:     http.StatusConflict,
	roster.CodeConflict:           http.StatusConflict,
	roster.CodeVersionMismatch:    http.StatusPreconditionFailed,
	roster.CodeBodyTooLarge:       http.StatusRequestEntityTooLarge,
	roster.CodeUnsupportedMedia:   http.StatusUnsupportedMediaType,
	roster.CodeValidationFailed:   http.StatusUnprocessableEntity,
	roster.CodeInvalidInput:       http.StatusUnprocessableEntity,
	roster.CodeVersionRequired:    http.StatusPreconditionRequired,
	roster.CodeTooManyRequests:    http.StatusTooManyRequests,
	roster.CodeQuotaExhausted:     http.StatusTooManyRequests,
	roster.CodeInternal:           http.StatusInternalServerError,
	roster.CodeKeysExhausted:      http.StatusInternalServerError,
	roster.CodeNotInitialized:     http.StatusInternalServerError,
	roster.CodeAlreadyInitialized: http.StatusInternalServerError,
	roster.CodeUnavailable:        http.StatusServiceUnavailable,
}

// faultOf is an error that only a request can make.
func faultOf(code roster.Code) *roster.Error { return &roster.Error{Code: code} }

// problem is the body of an error (RFC 9457).
type problem struct {
	Type       string             `json:"type"`
	Title      string             `json:"title"`
	Status     int                `json:"status"`
	Code       roster.Code        `json:"code"`
	Detail     string             `json:"detail,omitempty"`
	RequestID  string             `json:"request_id"`
	Errors     roster.FieldErrors `json:"errors,omitempty"`
	RetryAfter int64              `json:"retry_after,omitempty"`
	Details    map[string]any     `json:"details,omitempty"`
	Captcha    bool               `json:"captcha,omitempty"`
}

// problem tells an error to a client: its code and what belongs to it, and nothing of its cause. What fails for no
// reason of its own after the time of the request is over fails for that.
func (s *server) problem(ctx context.Context, requestID string, e *endpoint, err error) problem {
	var known *roster.Error
	if !errors.As(err, &known) {
		known = roster.ErrInternal
	}
	if known.Code == roster.CodeInternal && ctx.Err() != nil {
		known = roster.ErrUnavailable
	}
	status := statusOf(known, e)
	p := problem{Type: "about:blank", Status: status, Code: known.Code, RequestID: requestID}
	switch {
	case status == 0: // a code that nobody has told a status for
		p.Status, p.Code = http.StatusInternalServerError, roster.CodeInternal
	case status < http.StatusInternalServerError:
		p.Detail, p.Errors, p.Details = known.Message, known.Fields, detailsOf(known)
	case known.Code == roster.CodeUnavailable:
		p.Detail = known.Message // such as that of a closed blackout
	}
	if p.Title = title(p.Code); s.cfg.ProblemBase != "" {
		p.Type = s.cfg.ProblemBase + string(p.Code)
	}
	p.Captcha = known.Captcha && p.Status == http.StatusUnauthorized
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		p.RetryAfter = seconds(known.RetryAfter)
	}
	return p
}

// statusOf is the status that a hook asked for, or else that of the code; 0 when there is none.
func statusOf(err *roster.Error, e *endpoint) int {
	switch {
	case err.Code == "":
		return 0
	case err.Status >= 400 && err.Status <= 499:
		return err.Status
	case e.mailed && err.Code == roster.CodeInvalidToken:
		return http.StatusBadRequest
	}
	return statuses[err.Code]
}

// detailsOf gives the times in them the form of all others.
func detailsOf(err *roster.Error) map[string]any {
	details := maps.Clone(err.Details)
	for name, value := range details {
		if t, ok := value.(time.Time); ok {
			details[name] = stamp(t)
		}
	}
	return details
}

// title is a code in words.
func title(code roster.Code) string {
	if code == roster.CodeCSRFFailed {
		return "CSRF failed"
	}
	words := strings.ReplaceAll(string(code), "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// seconds is the rest of a wait in whole seconds, rounded up, at least 1.
func seconds(wait time.Duration) int64 { return max(1, int64((wait+time.Second-1)/time.Second)) }
