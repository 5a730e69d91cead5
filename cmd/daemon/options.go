package daemon

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUnknown is the answer of a table of options to a name that it does not know.
var ErrUnknown = errors.New("unknown option")

// Parse reads Courier's options: one leading dash, a value joined by "=". They end
// before the first word without a dash, or behind a dash alone. set gets the name without
// the dash.
func Parse(args []string, set func(name, value string) error) (rest []string, err error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		word := args[0]
		args = args[1:]
		if word == "-" {
			break
		}
		name, value, _ := strings.Cut(word[1:], "=")
		if err := set(name, value); err != nil {
			return args, &OptionError{word, err}
		}
	}
	return args, nil
}

// OptionError is what is wrong with one word.
type OptionError struct {
	Word string
	Err  error
}

func (e *OptionError) Error() string { return fmt.Sprintf("%s: %v", e.Word, e.Err) }

func (e *OptionError) Unwrap() error { return e.Err }

// Number reads a value from low on.
func Number(value string, low int, to *int) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || int(n) < low {
		return fmt.Errorf("%q is no number from %d on", value, low)
	}
	*to = int(n)
	return nil
}
