package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/roster-dev/roster/test/environment"
)

// The goals.
const (
	maxRatio   = 1.3
	maxLatency = 100 * time.Millisecond
	maxMemory  = 500e6
)

// pair is what both sides took for the same thing.
type pair struct {
	plain, roster []time.Duration
}

func (p *pair) add(plain, roster time.Duration) {
	p.plain, p.roster = append(p.plain, plain), append(p.roster, roster)
}

// ratio of the medians.
func (p *pair) ratio() float64 { return float64(median(p.roster)) / float64(median(p.plain)) }

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// results are everything that was measured.
type results struct {
	// writers says how many requests the plain client has in flight, and how that was found.
	writers              string
	grant, swap, project pair
	// repairs are in the order of tamperings.
	repairs []*pair
	// recorded is how long after it was in force a grant was in the history, and all else done that follows.
	recorded []time.Duration
	// losses are the versions of bindings during the swaps in which other users were missing.
	losses []string
	// restart is how long the manager takes from its start until it has nothing to do.
	restart time.Duration
	// writes of the manager after the restart.
	writes []environment.AuditedRequest
	// memoryBefore and memoryAfter the restart are the most bytes that the manager had in use.
	memoryBefore, memoryAfter int64
}

// row is one line of the table.
type row struct {
	what, plain, roster, ratio, goal string
	reached                          bool
}

func (r *results) rows() []row {
	rows := []row{
		timesRow("grant", &r.grant),
		{what: "the history of a grant, recorded after", plain: "-", roster: spread(r.recorded), ratio: "-", goal: "-", reached: true},
		timesRow("swap of one user", &r.swap),
		{what: "others' access lost in a swap", plain: "-", roster: fmt.Sprint(len(r.losses)), ratio: "-", goal: "0",
			reached: len(r.losses) == 0},
		latencyRow("one more project", &r.project),
	}
	for at, repair := range r.repairs {
		rows = append(rows, latencyRow("a binding tampered with: "+tamperings[at].name, repair))
	}
	memory := max(r.memoryBefore, r.memoryAfter)
	return append(rows,
		row{what: "restart, until all is synced", plain: "-", roster: rounded(r.restart), ratio: "-", goal: "-", reached: true},
		row{what: "restart, writes", plain: "-", roster: fmt.Sprint(len(r.writes)), ratio: "-", goal: "0",
			reached: len(r.writes) == 0},
		row{what: "memory of the manager, at most", plain: "-", ratio: "-",
			roster: fmt.Sprintf("%.0f MB (%.0f after the restart)", float64(memory)/1e6, float64(r.memoryAfter)/1e6),
			goal:   fmt.Sprintf("%.0f MB", maxMemory/1e6), reached: memory <= maxMemory})
}

func timesRow(what string, times *pair) row {
	return row{
		what: what, plain: spread(times.plain), roster: spread(times.roster), ratio: fmt.Sprintf("%.2f", times.ratio()),
		goal: fmt.Sprintf("%.1f × plain", maxRatio), reached: times.ratio() <= maxRatio,
	}
}

// latencyRow is reached if the slowest is fast enough.
func latencyRow(what string, times *pair) row {
	line := timesRow(what, times)
	line.goal, line.reached = rounded(maxLatency), slices.Max(times.roster) <= maxLatency
	return line
}

// spread is the median and, in parentheses, the least and the most.
func spread(times []time.Duration) string {
	return fmt.Sprintf("%s (%s to %s)", rounded(median(times)), rounded(slices.Min(times)), rounded(slices.Max(times)))
}

func rounded(duration time.Duration) string {
	if duration >= time.Second {
		return duration.Round(10 * time.Millisecond).String()
	}
	return duration.Round(100 * time.Microsecond).String()
}

func (r *results) print(output io.Writer, options options) error {
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(output, "\n%d users × %d namespaces through one team; medians of %d rounds (least to most); %d processors.\n"+
		"The plain client has %s.\n\n", options.users, options.namespaces, options.rounds, runtime.NumCPU(), r.writers)
	_, _ = fmt.Fprintln(table, "WHAT\tPLAIN CLIENT\tROSTER\tRATIO\tGOAL\tREACHED")
	for _, row := range r.rows() {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", row.what, row.plain, row.roster, row.ratio, row.goal, yesNo(row.reached))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, loss := range r.losses[:min(len(r.losses), shown)] {
		_, _ = fmt.Fprintln(output, "lost:", loss)
	}
	for _, write := range r.writes[:min(len(r.writes), shown)] {
		_, _ = fmt.Fprintln(output, "written after the restart:", write)
	}
	return nil
}

// shown is how many examples of what went wrong are printed.
const shown = 5

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "NO"
}
