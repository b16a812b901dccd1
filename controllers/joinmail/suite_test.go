package joinmail

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestJoinMail(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Mails about join requests")
}
