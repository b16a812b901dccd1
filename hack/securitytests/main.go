// Command securitytests checks that the tests exist by which the tables of docs/security.md are shown. It takes the page, and the
// JSON reports that Ginkgo wrote.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "tests that the security page names:", err)
		os.Exit(1)
	}
}

func run(page string, reports []string) error {
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	specs, err := names(reports)
	if err != nil {
		return err
	}
	root := filepath.Join(filepath.Dir(page), "..")
	isThere := func(path string) bool {
		tests, err := filepath.Glob(filepath.Join(root, path, "*_test.go"))
		return err == nil && len(tests) > 0
	}
	return errors.Join(check(string(content), specs, isThere)...)
}

// names are the whole names of the specs that passed, or that said themselves what they lack here.
func names(paths []string) ([]string, error) {
	var names []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%w: run the tests first", err)
		}
		var reports []types.Report
		if err := json.Unmarshal(content, &reports); err != nil {
			return nil, fmt.Errorf("%s is no report of Ginkgo: %w", path, err)
		}
		for _, report := range reports {
			for _, spec := range report.SpecReports {
				if spec.State.Is(types.SpecStatePassed | types.SpecStateSkipped) {
					names = append(names, spec.FullText())
				}
			}
		}
	}
	return names, nil
}

var codeSpan = regexp.MustCompile("`[^`]+`")

// check looks at each row of the tables whose last column is headed "shown by". A row names a test, or the folder of its
// tests, or says "the same" as the row above.
func check(page string, specs []string, isThere func(path string) bool) []error {
	var failures []error
	shows := false
	for number, line := range strings.Split(page, "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		last := strings.TrimSpace(cells[len(cells)-1])
		switch {
		case !strings.HasPrefix(line, "|"):
			shows = false
			continue
		case last == "shown by":
			shows = true
			continue
		case !shows || strings.HasPrefix(line, "| ---"):
			continue
		}
		names := codeSpan.FindAllString(last, -1)
		if len(names) == 0 && !strings.HasPrefix(last, "the same") {
			failures = append(failures, fmt.Errorf("line %d: the row %q names no test", number+1, cells[0]))
		}
		for _, name := range names {
			if name = strings.Trim(name, "`"); !exists(name, specs, isThere) {
				failures = append(failures, fmt.Errorf("line %d: no test is named %q", number+1, name))
			}
		}
	}
	return failures
}

// exists says whether there is a spec whose name holds the given one, in which "…" stands for any words, or, of a path, whether
// that folder holds tests.
func exists(name string, specs []string, isThere func(path string) bool) bool {
	if strings.Contains(name, "/") && !strings.Contains(name, " ") {
		return isThere(name)
	}
	parts := strings.Split(name, "…")
	for at := range parts {
		parts[at] = regexp.QuoteMeta(strings.Trim(parts[at], " ,"))
	}
	matches := regexp.MustCompile(strings.Join(parts, ".*")).MatchString
	for _, spec := range specs {
		if matches(spec) {
			return true
		}
	}
	return false
}
