package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestControlPlane(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Build of the control plane")
}

// toolchain stands for Go: it notes what it is asked for, writes a file for each build, and fails for a package
// whose path ends with FAILING.
const toolchain = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case "$1" in
list) echo v1.2.3 ;;
env) echo go9.9 ;;
build)
	case "$*" in *FAILING) exit 1 ;; esac
	while [ "$1" != -o ]; do shift; done
	mkdir -p "$(dirname "$2")" && echo binary > "$2" ;;
esac
`

var _ = Describe("The builder", func() {
	var directory string
	var made builder

	write := func(name, content string) {
		GinkgoHelper()
		path := filepath.Join(directory, name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.WriteFile(path, []byte(content), 0o755)).To(Succeed())
	}
	builds := func() int {
		GinkgoHelper()
		calls, err := os.ReadFile(filepath.Join(directory, "calls"))
		Expect(err).NotTo(HaveOccurred())
		return strings.Count(string(calls), "build ")
	}

	BeforeEach(func() {
		directory = GinkgoT().TempDir()
		write("go", toolchain)
		write("sources/go.mod", "module versions")
		write("sources/go.sum", "")
		made = builder{
			sources:   filepath.Join(directory, "sources"),
			cache:     filepath.Join(directory, "cache"),
			progress:  GinkgoWriter,
			goCommand: filepath.Join(directory, "go"),
		}
	})

	It("builds every binary once, for every checkout", func(ctx context.Context) {
		first, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, binary := range binaries {
			Expect(filepath.Join(first, binary.name)).To(BeARegularFile())
		}
		second, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(second).To(Equal(first))
		Expect(builds()).To(Equal(len(binaries)))
	})

	It("names the cache entry after Kubernetes' version, and builds again for other versions", func(ctx context.Context) {
		first, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(filepath.Base(first)).To(HavePrefix("v1.2.3-"))
		write("sources/go.mod", "module other-versions")
		second, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(second).NotTo(Equal(first))
		Expect(builds()).To(Equal(2 * len(binaries)))
	})

	It("leaves no cache entry behind when a build fails, and finishes it the next time", func(ctx context.Context) {
		write("go", strings.ReplaceAll(toolchain, "FAILING", "kubectl"))
		_, err := made.ensure(ctx)
		Expect(err).To(MatchError(ContainSubstring("kubectl: exit status 1; start it again")))
		Expect(filepath.Glob(filepath.Join(directory, "cache", "v1.2.3-????????????"))).To(BeEmpty())

		write("go", toolchain)
		built, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(complete(built)).To(BeTrue())
	})

	It("builds again when somebody removed a binary from the cache", func(ctx context.Context) {
		built, err := made.ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.Remove(filepath.Join(built, "etcd"))).To(Succeed())
		Expect(made.ensure(ctx)).To(Equal(built))
		Expect(complete(built)).To(BeTrue())
	})
})

var _ = Describe("The link to the binaries", func() {
	It("is moved to another version, and never takes the place of something else", func() {
		directory := GinkgoT().TempDir()
		link := filepath.Join(directory, "bin", "k8s")
		Expect(replaceLink(filepath.Join(directory, "old"), link)).To(Succeed())
		Expect(replaceLink(filepath.Join(directory, "new"), link)).To(Succeed())
		Expect(os.Readlink(link)).To(Equal(filepath.Join(directory, "new")))

		Expect(os.Remove(link)).To(Succeed())
		Expect(os.Mkdir(link, 0o755)).To(Succeed())
		Expect(replaceLink(filepath.Join(directory, "new"), link)).To(MatchError(ContainSubstring("is in the way")))
	})
})
