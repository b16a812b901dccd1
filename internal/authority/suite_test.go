package authority_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestAuthority(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Authority")
}
