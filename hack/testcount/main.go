// Command testcount prints how many specs ran, from the JSON reports that Ginkgo wrote.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "count of the tests:", err)
		os.Exit(1)
	}
}

func run(paths []string, output io.Writer) error {
	var total count
	for _, path := range paths {
		reports, err := read(path)
		if err != nil {
			return err
		}
		for _, report := range reports {
			total.add(report)
		}
	}
	_, err := fmt.Fprintf(output, "%d tests ran in %d suites: %d passed, %d failed, %d skipped (%s)\n",
		total.passed+total.failed, total.suites, total.passed, total.failed, total.skipped, total.duration.Round(time.Second))
	return err
}

func read(path string) ([]types.Report, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: run the tests first", err)
	}
	var reports []types.Report
	if err := json.Unmarshal(content, &reports); err != nil {
		return nil, fmt.Errorf("%s is no report of Ginkgo: %w", path, err)
	}
	return reports, nil
}

// count of specs over all reports.
type count struct {
	suites, passed, failed, skipped int
	duration                        time.Duration
}

func (c *count) add(report types.Report) {
	c.suites++
	c.duration += report.RunTime
	for _, spec := range report.SpecReports.WithLeafNodeType(types.NodeTypeIt) {
		switch {
		case spec.State.Is(types.SpecStatePassed):
			c.passed++
		case spec.State.Is(types.SpecStateSkipped | types.SpecStatePending):
			c.skipped++
		default:
			c.failed++
		}
	}
}
