package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/internal/history"
)

func TestHistory(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "History controller")
}

// paper is what is written, by object.
type paper struct {
	lock    sync.Mutex
	written map[types.UID][]string
	fail    func(history.Change) error
}

func (p *paper) write(_ context.Context, change history.Change) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.fail != nil {
		if err := p.fail(change); err != nil {
			return err
		}
	}
	p.written[change.Object.UID] = append(p.written[change.Object.UID], change.New)
	return nil
}

func (p *paper) count() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	total := 0
	for _, changes := range p.written {
		total += len(changes)
	}
	return total
}

var _ = Describe("The lanes", func() {
	var running lanes
	start := func(paper *paper) {
		paper.written = map[types.UID][]string{}
		ctx, stop := context.WithCancel(context.Background())
		running = lanes{}
		running.start(ctx, paper.write)
		DeferCleanup(func() {
			stop()
			running.wait()
		})
	}
	put := func(uid types.UID, value string) {
		running.put(uid, []history.Change{{Object: history.Object{UID: uid}, New: value}})
	}

	It("write a flood of ten thousand changes, those of each object in their order", func() {
		const objects, changes = 100, 100
		paper := &paper{}
		start(paper)
		var expected []string
		for change := range changes {
			expected = append(expected, fmt.Sprint(change))
			for object := range objects {
				put(types.UID(fmt.Sprint("object-", object)), fmt.Sprint(change))
			}
		}
		Eventually(paper.count).WithTimeout(10 * time.Second).Should(Equal(objects * changes))
		for uid, written := range paper.written {
			Expect(written).To(Equal(expected), string(uid))
		}
	})

	It("write what fails again before what comes after it, and others meanwhile", func() {
		failures := 0
		paper := &paper{fail: func(change history.Change) error {
			if change.New == "first" && failures < 3 {
				failures++
				return errors.New("not now")
			}
			return nil
		}}
		start(paper)
		put("one", "first")
		put("one", "second")
		put("two", "other")
		Eventually(paper.count).WithTimeout(10 * time.Second).Should(Equal(3))
		Expect(paper.written["one"]).To(Equal([]string{"first", "second"}))
	})
})
