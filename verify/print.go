package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Print writes how one step went.
func (s Step) Print(w io.Writer, number int) {
	verdict := "pass"
	if !s.Passed {
		verdict = "FAIL"
	}
	fmt.Fprintf(w, "%d  %s  %s", number, verdict, s.What)
	if s.Note != "" {
		fmt.Fprintf(w, ": %s", s.Note)
	}
	fmt.Fprintln(w)
	for _, a := range s.Advice {
		fmt.Fprintf(w, "         look at: %s\n", a)
	}
}

// bounds are the upper ends of the histogram's bars.
var bounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 20 * time.Second, time.Hour,
}

// barWidth is how long the longest bar is.
const barWidth = 50

// PrintLatencies writes when sessions were told of changes, as a histogram.
func (r *Report) PrintLatencies(w io.Writer) {
	all := slices.Sorted(slices.Values(r.Latencies))
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "told after: median %v, 99 %% %v, at most %v\n", round(quantile(all, 50)), round(quantile(all, 99)), round(all[len(all)-1]))
	var counts [len(bounds)]int
	for _, d := range all {
		i, _ := slices.BinarySearch(bounds[:], d)
		counts[min(i, len(bounds)-1)]++
	}
	first, last := 0, len(bounds)-1
	for ; counts[first] == 0; first++ {
	}
	for ; counts[last] == 0; last-- {
	}
	most := slices.Max(counts[:])
	for i := first; i <= last; i++ {
		bar := strings.Repeat("#", (counts[i]*barWidth+most-1)/most)
		fmt.Fprintf(w, "  up to %6v %6d %s\n", bounds[i], counts[i], bar)
	}
}

// quantile is the value below which so many percent lie. all is sorted.
func quantile(all []time.Duration, percent int) time.Duration {
	return all[min(len(all)-1, len(all)*percent/100)]
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
