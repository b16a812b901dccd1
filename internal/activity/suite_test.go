package activity

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// TestMain is the appender that a spec kills when it is started as one.
func TestMain(m *testing.M) {
	if url := os.Getenv(appenderURL); url != "" {
		appendForever(url)
		return
	}
	os.Exit(m.Run())
}

func TestActivity(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Activity")
}
