// Package environment runs a real control plane on 127.0.0.1: etcd, kube-apiserver and kube-controller-manager, each
// with certificates of its own, and Roster's manager beside them under its own ServiceAccount.
//
// Tests start one for a suite, and its processes end with the test process, however that ends. `make up` starts a
// detached one that outlives the command. The binaries come from `make k8s`, which builds them from Go modules.
//
// A cluster lives in one directory:
//
//	certificates/     made at the first start, kept for the next one
//	etcd/             the data
//	*.log             what each process said
//	audit*.log        every write request, one JSON object a line
//	kubeconfig        of the administrator (group system:masters)
//	manager.kubeconfig of ServiceAccount roster-system/roster-manager
//	cluster.json      ports and pids
package environment
