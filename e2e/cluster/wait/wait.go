// Package wait waits for what others do.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How often it is asked. What is waited for takes some tenths of a second at least.
const pause = 100 * time.Millisecond

// ErrNever is in an error after which waiting has no sense.
var ErrNever = errors.New("this will not change")

// Until asks again and again until there is no error, for so long at most. The last answer is in the
// error that ends it.
func Until(ctx context.Context, what string, most time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		answer := ask(ctx)
		if answer == nil {
			return nil
		}
		if errors.Is(answer, ErrNever) {
			return fmt.Errorf("%s: %w", what, answer)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: given up (%w) after at most %v: %w", what, ctx.Err(), most, answer)
		case <-time.After(pause):
		}
	}
}
