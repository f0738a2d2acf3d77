package roster

import (
	"cmp"
	"errors"
	"slices"
)

// FieldCode names the fault of one field of an input.
type FieldCode string

// The faults of fields.
const (
	Required          FieldCode = "required"
	Invalid           FieldCode = "invalid"
	TooShort          FieldCode = "too_short"
	TooLong           FieldCode = "too_long"
	WrongType         FieldCode = "wrong_type"
	UnknownField      FieldCode = "unknown_field"
	ForbiddenField    FieldCode = "forbidden_field"
	Taken             FieldCode = "taken"
	Reserved          FieldCode = "reserved"
	MixedScripts      FieldCode = "mixed_scripts"
	Common            FieldCode = "common"
	Similar           FieldCode = "similar"
	Breached          FieldCode = "breached"
	SamePassword      FieldCode = "same_password"
	InvalidHash       FieldCode = "invalid_hash"
	Mismatch          FieldCode = "mismatch"
	NotHeld           FieldCode = "not_held"
	UnknownPermission FieldCode = "unknown_permission"
	PasswordWrong     FieldCode = "invalid_password"
)

// FieldError is the fault of one field. A fault of the input as a whole has the field "".
type FieldError struct {
	Field string    `json:"field"`
	Code  FieldCode `json:"code"`
	// Message explains the fault in English; it never repeats the value.
	Message string `json:"message,omitempty"`
	// Params are the numbers of the rule, such as min and max.
	Params map[string]any `json:"params,omitempty"`
}

// String returns field:code.
func (f FieldError) String() string { return f.Field + ":" + string(f.Code) }

// FieldErrors collects the faults of an input, so that all are told at once.
type FieldErrors []FieldError

// Add appends a fault.
func (f *FieldErrors) Add(field string, code FieldCode) {
	*f = append(*f, FieldError{Field: field, Code: code})
}

// Collect appends the field errors that err carries and returns nil then; any other error is returned as it is.
func (f *FieldErrors) Collect(err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) && len(e.Fields) > 0 {
		*f = append(*f, e.Fields...)
		return nil
	}
	return err
}

// Err returns nil when there is no fault, identifier_taken when identifiers are taken and nothing else is wrong,
// and validation_failed otherwise: sorted, each field and code once.
func (f FieldErrors) Err() error {
	if len(f) == 0 {
		return nil
	}
	sentinel := ErrIdentifierTaken
	for _, fault := range f {
		if fault.Code != Taken {
			sentinel = ErrValidationFailed
		}
	}
	return sentinel.WithFields(f...)
}

func (f FieldErrors) sorted() FieldErrors {
	s := slices.Clone(f)
	slices.SortStableFunc(s, func(a, b FieldError) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	})
	return slices.CompactFunc(s, func(a, b FieldError) bool { return a.Field == b.Field && a.Code == b.Code })
}
