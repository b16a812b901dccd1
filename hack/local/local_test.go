package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/roster-dev/roster/test/environment"
)

func TestLocal(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Local control plane")
}

func objectWith(conditions ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"generation": int64(2)},
		"status":   map[string]any{"conditions": conditions},
	}}
}

var _ = DescribeTable("An object is waited for", func(object *unstructured.Unstructured, reason string) {
	Expect(whyNotReady(object)).To(Equal(reason))
},
	Entry("while it has no condition", objectWith(), "Roster hasn't looked at it yet"),
	Entry("while its condition is about an earlier generation",
		objectWith(map[string]any{"type": "Ready", "status": "True", "observedGeneration": int64(1)}),
		"Roster hasn't looked at its last change yet"),
	Entry("while it is not Ready",
		objectWith(
			map[string]any{"type": "Ready", "status": "False", "observedGeneration": int64(2), "reason": "NamespaceTaken", "message": "it belongs to another one"},
			map[string]any{"type": "Stalled", "status": "True", "observedGeneration": int64(2)}),
		"NamespaceTaken: it belongs to another one"),
	Entry("and not for a suspension, which is settled",
		objectWith(map[string]any{"type": "Ready", "status": "False", "observedGeneration": int64(2), "reason": "Requested"}), ""),
	Entry("and no longer once it is Ready",
		objectWith(map[string]any{"type": "Ready", "status": "True", "observedGeneration": int64(2)}), ""),
)

var _ = It("The demo tells the kinds of write requests apart, the most frequent first", func() {
	groups := countWrites([]environment.AuditedRequest{
		{Verb: "create", Group: "roster.dev", Resource: "users", Code: 201},
		{Verb: "update", Group: "roster.dev", Resource: "users", Subresource: "status", Code: 409},
		{Verb: "update", Group: "roster.dev", Resource: "users", Subresource: "status", Code: 200},
		{Verb: "update", Group: "roster.dev", Resource: "users", Subresource: "status", Code: 200},
	})
	Expect(groups).To(Equal([]writeGroup{
		{"update users.roster.dev/status", 2}, {"create users.roster.dev", 1}, {"update users.roster.dev/status (conflict)", 1},
	}))
})

var _ = It("Up says of a port that can't be one what is wrong, and starts nothing", func(ctx SpecContext) {
	local := newLocal(GinkgoWriter)
	local.directory, local.port = filepath.Join(GinkgoT().TempDir(), ".roster"), 99999
	Expect(local.up(ctx, "")).To(MatchError("PORT=99999: give a number from 1 to 65535, or leave PORT out for any free one"))
	Expect(local.directory).NotTo(BeADirectory())
})

var _ = It("Up says of samples that aren't there what is wrong, and starts nothing", func(ctx SpecContext) {
	local := newLocal(GinkgoWriter)
	local.directory = filepath.Join(GinkgoT().TempDir(), ".roster")
	Expect(local.up(ctx, "nowhere")).To(MatchError("SAMPLES=nowhere: stat nowhere: no such file or directory; " +
		"name a folder of manifests with a kustomization.yaml, or none"))
	Expect(local.directory).NotTo(BeADirectory())
})

var _ = Describe("Down", func() {
	It("says that nothing is up", func() {
		var output bytes.Buffer
		local := newLocal(&output)
		local.directory = filepath.Join(GinkgoT().TempDir(), ".roster")
		Expect(local.down()).To(Succeed())
		Expect(output.String()).To(ContainSubstring("nothing is up"))
	})

	It("removes what an interrupted start left, and leaves a process alone whose pid was given to another one", func() {
		var output bytes.Buffer
		local := newLocal(&output)
		local.directory = filepath.Join(GinkgoT().TempDir(), ".roster")
		Expect(os.Mkdir(local.directory, 0o700)).To(Succeed())
		// Pid 1 always runs, and never as this etcd.
		state := `{"port": 1, "processes": [{"name": "etcd", "pid": 1, "startTime": "another boot/1"}]}`
		Expect(os.WriteFile(filepath.Join(local.directory, "cluster.json"), []byte(state), 0o600)).To(Succeed())
		Expect(local.down()).To(Succeed())
		Expect(output.String()).To(ContainSubstring("gone already: etcd (pid 1)"))
		Expect(local.directory).NotTo(BeADirectory())
	})
})
