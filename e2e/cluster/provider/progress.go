package provider

import (
	"fmt"
	"io"
	"time"
)

// Progress tells whoever waits what was done, and how long each of it took.
type Progress struct {
	To    io.Writer
	start time.Time
}

// NewProgress counts from now.
func NewProgress(to io.Writer) *Progress { return &Progress{To: to, start: time.Now()} }

// Step does something and says what, how long it took, and how long everything has taken.
func (p *Progress) Step(name string, do func() error) error {
	began := time.Now()
	err := do()
	mark := ""
	if err != nil {
		mark = "  FAILED"
	}
	fmt.Fprintf(p.To, "%8.1f s %8.1f s  %s%s\n", time.Since(p.start).Seconds(), time.Since(began).Seconds(), name, mark)
	return err
}

// Say says something that took no time.
func (p *Progress) Say(format string, args ...any) {
	fmt.Fprintf(p.To, format+"\n", args...)
}
