package main

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestSecurityTests(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Tests that the security page names")
}

var _ = DescribeTable("A row of the security page", func(row string, failures int) {
	specs := []string{"The webhook asked for a Team refuses that a clerk joins", "About a token refuses a thief"}
	isThere := func(path string) bool { return path == "internal/mail" }
	page := "| they might | shown by |\n| --- | --- |\n" + row + "\n\n| other | table |\n| --- | --- |\n| without | tests |\n"
	Expect(check(page, specs, isThere)).To(HaveLen(failures))
},
	Entry("is in order when it names the beginning of a test", "| join | `The webhook asked for a Team` |", 0),
	Entry("is in order when words are left out", "| join | `The webhook … a clerk joins` |", 0),
	Entry("is in order when it names the end of a test", "| join | `… refuses a thief` |", 0),
	Entry("is in order when it names a folder", "| join | `internal/mail` |", 0),
	Entry("is in order when it says the same", "| join | the same |", 0),
	Entry("fails when it names a test that isn't there", "| join | `The webhook asked for a Project` |", 1),
	Entry("fails for each name", "| join | `The webhook asked for a Project`, `internal/none`, `About a token` |", 2),
	Entry("fails when it names no test", "| join | webhook |", 1),
)
