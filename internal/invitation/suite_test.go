package invitation_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestInvitation(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Invitation codes")
}
