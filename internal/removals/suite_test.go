package removals_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestRemovals(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Removals")
}
