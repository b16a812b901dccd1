package joinrequest

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestJoinRequests(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Join requests")
}
