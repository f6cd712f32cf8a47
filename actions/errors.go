package actions

import "fmt"

// RefusedError is why something is not done although it could be tried: read-only mode, a missing permission, another operator, another
// cluster, the wrong word. Nothing was changed.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Refuse returns a RefusedError.
func Refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// InputError is that a person gave an input that cannot be meant: no plan was made of it.
type InputError struct {
	Name string // of the input
	Err  error  // what is wrong with it and what to write instead
}

func (e *InputError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// StopError is a failure after which no other step can succeed either, so that even what would go on after a lenient step ends.
type StopError struct{ Err error }

func (e *StopError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StopError) Unwrap() error { return e.Err }

// UnclearError is a failure of which cannot be told whether the step had its effect. A step that may be repeated is, after a look whether it
// is done; of one that may not, a person has to say.
type UnclearError struct{ Err error }

func (e *UnclearError) Error() string {
	return "it is not known whether this had its effect: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UnclearError) Unwrap() error { return e.Err }
