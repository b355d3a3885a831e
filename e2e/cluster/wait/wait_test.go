package wait

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var errNotYet = errors.New("not yet")

func TestItIsAskedUntilItIsTrue(t *testing.T) {
	asked := 0
	err := Until(context.Background(), "x", time.Minute, func(context.Context) error {
		if asked++; asked < 3 {
			return errNotYet
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Error(asked, err)
	}
}

func TestTheLastAnswerIsInTheError(t *testing.T) {
	never := func(context.Context) error { return fmt.Errorf("%w: %w", errNotYet, ErrNever) }
	if err := Until(context.Background(), "the node", time.Minute, never); !errors.Is(err, errNotYet) || !strings.Contains(err.Error(), "the node") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Until(ctx, "the node", time.Minute, func(context.Context) error { return errNotYet })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errNotYet) {
		t.Error(err)
	}
	err = Until(context.Background(), "the node", time.Millisecond, func(context.Context) error { return errNotYet })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
