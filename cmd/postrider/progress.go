package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// progress is a bar on a terminal, and nothing anywhere else.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// newProgress shows how many of n accounts are done.
func newProgress(to io.Writer, n int) *progress {
	if !isTerminal(to) {
		return &progress{}
	}
	all := mpb.New(mpb.WithOutput(to))
	bar := all.AddBar(int64(n),
		mpb.PrependDecorators(decor.Name("accounts "), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO)))
	return &progress{all, bar}
}

// around is where to write so that the bar stays below what is written.
func (p *progress) around(out io.Writer) io.Writer {
	if p.all != nil && isTerminal(out) {
		return p.all
	}
	return out
}

func (p *progress) step() {
	if p.bar != nil {
		p.bar.Increment()
	}
}

// finish takes the bar away if it is not full, and waits until all is written.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.all.Wait()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
