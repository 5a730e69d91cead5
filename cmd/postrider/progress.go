package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// progress shows how far long work has come: on a terminal, and nowhere else.
type progress struct {
	to  *os.File
	out *mpb.Progress // nil: nobody looks
	bar *mpb.Bar      // nil between two tasks
}

func newProgress(out io.Writer) *progress {
	f, ok := out.(*os.File)
	if !ok {
		return &progress{}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return &progress{}
	}
	p := &progress{to: f}
	p.begin()
	return p
}

func (p *progress) begin() { p.out = mpb.New(mpb.WithOutput(p.to), mpb.WithWidth(40)) }

// step says that so many of a named task's messages are done.
func (p *progress) step(task string, done, total int) {
	if p.out == nil || total == 0 {
		return
	}
	if p.bar == nil {
		p.bar = p.out.AddBar(int64(total), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(task+" "), decor.CountersNoUnit("%d of %d")),
			mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO)))
	}
	p.bar.SetCurrent(int64(done))
}

// next ends a task. The line of the bar is gone when it returns: what is written next
// would be taken away with it.
func (p *progress) next() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.out.Wait()
	p.bar = nil
	p.begin()
}

// end ends the display.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
	}
	if p.out != nil {
		p.out.Wait()
		p.out, p.bar = nil, nil
	}
}
