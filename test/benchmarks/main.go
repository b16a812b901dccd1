package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// maxSubjects is the most users that one binding holds, so that both sides write one binding a namespace.
const maxSubjects = 1000

// options say how large a benchmark is.
type options struct {
	users, namespaces int
	// rounds is how often both sides take their turns.
	rounds int
	// repairs is how often one binding is tampered with, in each way, and how many projects are added.
	repairs int
	// writers of the plain client; 0 tries some numbers and takes the best.
	writers int
	// idle is how long nothing may be written after a restart.
	idle time.Duration
	// members and teams of the organization in which the webhook and the view API are asked, and how many requests of each
	// kind the webhook gets.
	members, teams, requests int
	// lists is how often all members are listed, each way.
	lists int
	// tokens of one user, who is deactivated.
	tokens int
	// only is the name of the one part to run; empty: all.
	only string
}

// part is a group of measurements that prints a table of its own.
type part struct {
	name string
	run  func(ctx context.Context, options options, output, progress io.Writer) error
}

var parts = []part{{"access", benchAccess}, {"admission", benchAdmission}, {"crowd", benchCrowd}, {"view", benchView}, {"tokens", benchTokens}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, arguments []string) error {
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	// The plain client is to be fast, not small.
	debug.SetGCPercent(400)
	options, err := parse(arguments)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if options.only != "" && options.only != part.name {
			continue
		}
		if err := part.run(ctx, options, os.Stdout, os.Stderr); err != nil {
			return err
		}
	}
	return nil
}

// benchAccess measures how long access takes to be in force, beside the plain client.
func benchAccess(ctx context.Context, options options, output, progress io.Writer) error {
	found, err := measure(ctx, options, progress)
	if err != nil {
		return err
	}
	return found.print(output, options)
}

func parse(arguments []string) (options, error) {
	var parsed options
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.IntVar(&parsed.users, "users", maxSubjects, "members of the team")
	flags.IntVar(&parsed.namespaces, "namespaces", 1000, "projects with one namespace each")
	flags.IntVar(&parsed.rounds, "rounds", 3, "how often both sides take their turns")
	flags.IntVar(&parsed.repairs, "repairs", 5, "how often a project is added, and a binding tampered with in each way")
	flags.IntVar(&parsed.writers, "writers", 0, "requests that the plain client has in flight; 0 finds the best number")
	flags.DurationVar(&parsed.idle, "idle", time.Minute, "how long nothing may be written after a restart")
	flags.IntVar(&parsed.members, "members", 10_000,
		"members of the organization in which the webhook and the view API are asked")
	flags.IntVar(&parsed.teams, "teams", 100, "teams of that organization, with one project each")
	flags.IntVar(&parsed.requests, "requests", 300, "requests of each kind, with the webhook and without it")
	flags.IntVar(&parsed.lists, "lists", 10, "how often all members are listed, each way")
	flags.IntVar(&parsed.tokens, "tokens", 500, "API tokens of a user who is deactivated")
	flags.StringVar(&parsed.only, "only", "", "run one part alone: access, admission, crowd, view or tokens")
	if err := flags.Parse(arguments); err != nil {
		return parsed, err
	}
	return parsed, parsed.validate()
}

func (o options) validate() error {
	for _, flag := range []struct {
		name                   string
		value, lowest, highest int
	}{
		{"users", o.users, 2, maxSubjects},
		{"namespaces", o.namespaces, 1, 2000},
		{"rounds", o.rounds, 1, 100},
		{"repairs", o.repairs, 1, o.namespaces},
		{"writers", o.writers, 0, 1000},
		{"members", o.members, 1, 100_000},
		{"teams", o.teams, 0, 1000},
		{"requests", o.requests, turns, 10_000},
		{"lists", o.lists, 1, 1000},
		{"tokens", o.tokens, 1, 10_000},
	} {
		if flag.value < flag.lowest || flag.value > flag.highest {
			return fmt.Errorf("--%s=%d: choose a number from %d to %d", flag.name, flag.value, flag.lowest, flag.highest)
		}
	}
	if isPart := func(part part) bool { return part.name == o.only }; o.only != "" && !slices.ContainsFunc(parts, isPart) {
		return fmt.Errorf("--only=%s: choose access, admission, crowd, view or tokens, or leave it out for all", o.only)
	}
	return nil
}

// measure does all measurements on a control plane of their own.
func measure(ctx context.Context, options options, progress io.Writer) (found *results, err error) {
	stage, err := prepare(ctx, options, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stage.close()) }()
	found = &results{}
	for _, step := range []func(context.Context, *results) error{
		stage.findWriters, stage.measureTurns, stage.measureProjects, stage.measureRepairs, stage.measureRestart,
	} {
		if err := step(ctx, found); err != nil {
			stage.showLog()
			return nil, err
		}
	}
	return found, nil
}
