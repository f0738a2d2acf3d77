package roster

import (
	"errors"
	"strings"
	"time"
)

// Code names what went wrong. Codes are stable: programs and clients decide by them, never by texts.
type Code string

// The codes of errors. The routes package gives each one HTTP status.
const (
	CodeMalformedBody      Code = "malformed_body"
	CodeInvalidParameter   Code = "invalid_parameter"
	CodeInvalidCursor      Code = "invalid_cursor"
	CodeExpiredToken       Code = "expired_token" // a mailed link past its time
	CodeUnauthenticated    Code = "unauthenticated"
	CodeInvalidToken       Code = "invalid_token" // an access token or a mailed link that is none
	CodeTokenExpired       Code = "token_expired" // an access token past its time
	CodeSessionRevoked     Code = "session_revoked"
	CodeSessionExpired     Code = "session_expired"
	CodeInvalidCredentials Code = "invalid_credentials"
	CodeInvalidRefresh     Code = "invalid_refresh_token"
	CodeTokenReused        Code = "token_reused"
	CodeForbidden          Code = "forbidden"
	CodeCSRFFailed         Code = "csrf_failed" // a page of another site may have made the browser ask
	CodeBanned             Code = "banned"
	CodeArchived           Code = "archived"
	CodeNotVerified        Code = "not_verified"
	CodeReauthentication   Code = "reauthentication_required"
	CodeRegistrationClosed Code = "registration_closed"
	CodeInvalidPassword    Code = "invalid_password"
	CodeNotFound           Code = "not_found"
	CodeIdentifierTaken    Code = "identifier_taken"
	CodePasswordAlreadySet Code = "password_already_set"
	CodePasswordNotSet     Code = "password_not_set"
	CodeSameValue          Code = "same_value"
	CodeInvalidCode        Code = "invalid_code" // a one-time code that is none
	CodeAlreadyConfirmed   Code = "already_confirmed"
	CodeLastSuperuser      Code = "last_superuser"
	CodeLastCredential     Code = "last_credential"
	CodeConflict           Code = "conflict"
	CodeVersionMismatch    Code = "version_mismatch"
	CodeVersionRequired    Code = "version_required"
	CodeBodyTooLarge       Code = "body_too_large"
	CodeUnsupportedMedia   Code = "unsupported_media_type"
	CodeValidationFailed   Code = "validation_failed"
	CodeInvalidInput       Code = "invalid_input" // a wrong argument of a Go call
	CodeTooManyRequests    Code = "too_many_requests"
	CodeQuotaExhausted     Code = "quota_exhausted"
	CodeInternal           Code = "internal"
	CodeKeysExhausted      Code = "key_generator_exhausted" // all keys that were generated are taken
	CodeNotInitialized     Code = "not_initialized"
	CodeAlreadyInitialized Code = "already_initialized"
	CodeUnavailable        Code = "unavailable"
)

// Error is what every operation fails with. Two errors are the same to errors.Is when their codes are equal, so
// the sentinels below stand for every error of their code.
type Error struct {
	Code Code
	// Message explains the code to a developer. It never tells whether an account exists.
	Message string
	// Fields are the faults of an input, sorted by field and code.
	Fields FieldErrors
	// RetryAfter is the rest of the wait; 0 when waiting does not help.
	RetryAfter time.Duration
	// Status is the HTTP status that a hook asked for, 400 to 499; 0 leaves it to the code.
	Status int
	// Details are further members for the client, such as the reason and the end of a ban.
	Details map[string]any
	// Captcha asks for proof of being human with the next try.
	Captcha bool

	cause error
}

// The sentinels that programs compare with, by errors.Is.
var (
	ErrNotFound           = &Error{Code: CodeNotFound}
	ErrForbidden          = &Error{Code: CodeForbidden}
	ErrUnauthenticated    = &Error{Code: CodeUnauthenticated}
	ErrInvalidCredentials = &Error{Code: CodeInvalidCredentials}
	ErrInvalidPassword    = &Error{Code: CodeInvalidPassword}
	ErrInvalidToken       = &Error{Code: CodeInvalidToken}
	ErrExpiredToken       = &Error{Code: CodeExpiredToken}
	ErrTokenExpired       = &Error{Code: CodeTokenExpired}
	ErrSessionRevoked     = &Error{Code: CodeSessionRevoked}
	ErrSessionExpired     = &Error{Code: CodeSessionExpired}
	ErrInvalidRefresh     = &Error{Code: CodeInvalidRefresh}
	ErrTokenReused        = &Error{Code: CodeTokenReused}
	ErrCSRFFailed         = &Error{Code: CodeCSRFFailed}
	ErrBanned             = &Error{Code: CodeBanned}
	ErrArchived           = &Error{Code: CodeArchived}
	ErrNotVerified        = &Error{Code: CodeNotVerified}
	ErrReauthentication   = &Error{Code: CodeReauthentication}
	ErrRegistrationClosed = &Error{Code: CodeRegistrationClosed}
	ErrIdentifierTaken    = &Error{Code: CodeIdentifierTaken}
	ErrPasswordAlreadySet = &Error{Code: CodePasswordAlreadySet}
	ErrPasswordNotSet     = &Error{Code: CodePasswordNotSet}
	ErrSameValue          = &Error{Code: CodeSameValue}
	ErrInvalidCode        = &Error{Code: CodeInvalidCode}
	ErrAlreadyConfirmed   = &Error{Code: CodeAlreadyConfirmed}
	ErrLastSuperuser      = &Error{Code: CodeLastSuperuser}
	ErrLastCredential     = &Error{Code: CodeLastCredential}
	ErrConflict           = &Error{Code: CodeConflict}
	ErrVersionMismatch    = &Error{Code: CodeVersionMismatch}
	ErrInvalidCursor      = &Error{Code: CodeInvalidCursor}
	ErrInvalidInput       = &Error{Code: CodeInvalidInput}
	ErrValidationFailed   = &Error{Code: CodeValidationFailed}
	ErrTooManyRequests    = &Error{Code: CodeTooManyRequests}
	ErrQuotaExhausted     = &Error{Code: CodeQuotaExhausted}
	ErrUnavailable        = &Error{Code: CodeUnavailable}
	ErrInternal           = &Error{Code: CodeInternal}
	ErrKeysExhausted      = &Error{Code: CodeKeysExhausted}
	ErrNotInitialized     = &Error{Code: CodeNotInitialized, Message: "the repo was not initialised: call usersrepo.Init"}
	ErrAlreadyInitialized = &Error{Code: CodeAlreadyInitialized, Message: "the repo, or the one it was copied from, was initialised before"}
)

// ErrHookPanic is what a panic in a hook is told as, inside an error of the code internal.
var ErrHookPanic = errors.New("a hook panicked")

// WithMessage returns a copy, as all With… do: sentinels are never written. It explains itself by message.
func (e *Error) WithMessage(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// WithFields returns a copy that carries faults of fields.
func (e *Error) WithFields(fields ...FieldError) *Error {
	c := *e
	c.Fields = FieldErrors(fields).sorted()
	return &c
}

// WithRetryAfter returns a copy that carries the rest of a wait.
func (e *Error) WithRetryAfter(wait time.Duration) *Error {
	c := *e
	c.RetryAfter = wait
	return &c
}

// WithCause returns a copy that wraps err: errors.Is and errors.As reach it, clients never see it.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Error implements error.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(string(e.Code))
	if e.Message != "" {
		s.WriteString(": " + e.Message)
	}
	for i, f := range e.Fields {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		s.WriteString(sep + f.String())
	}
	if e.cause != nil {
		s.WriteString(": " + e.cause.Error())
	}
	return s.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}
