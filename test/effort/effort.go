// Package effort measures what a pure function costs by the processor time of this process: unlike the clock on the wall it
// doesn't count what others do on a busy machine.
package effort

import (
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gmeasure"
)

// samples is how often something is measured. The least of them has met the garbage collector least.
const samples = 5

// Least is the least processor time that something takes, of several times. All are reported under the name.
func Least(name string, do func()) time.Duration {
	GinkgoHelper()
	experiment := gmeasure.NewExperiment(name)
	AddReportEntry(name, experiment)
	for range samples {
		before := processorTime()
		do()
		experiment.RecordDuration("processor time", processorTime()-before)
	}
	return experiment.GetStats("processor time").DurationFor(gmeasure.StatMin)
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	GinkgoHelper()
	var usage syscall.Rusage
	Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &usage)).To(Succeed())
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
