package e2e_test

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	ownersAlone = "only owners of organization policed may change its owners, requireMFA, membership, safeguards, tokens, " +
		"joinRequests, finalizers, ownerReferences or annotations roster.dev/approve-removals and roster.dev/confirm-deletion, " +
		"or delete it; ask one of them: " + theOwner
	takesFound = " would stand on its own, without a spec.parent, which takes the verb found on organizations of " +
		"roster.dev; ask who runs the cluster for it, or name a parent that you may put organizations below"
	takesAdopt = " would come below policed, which takes the verb adopt on organization policed of roster.dev; ask who runs " +
		"the cluster for it, or name another spec.parent"
	leavesParent = "organization policed-below is below policed; moving it from there takes the verb adopt on organization " +
		"policed of roster.dev; ask who runs the cluster for it, or leave spec.parent as it is"
)

var (
	ourOrganization   = expectations.Organization(policed, theOwner)
	organizationBelow = expectations.Organization(policed+"-below", theOwnerBelow)
	// personalOne is the administrator's, which Roster made, as that user owns no other.
	personalOne = expectations.Organization(personalOf(theAdministrator), theAdministrator)
)

// newOrganization is one that isn't there yet.
func newOrganization(parent string, kind v1alpha1.OrganizationType) *v1alpha1.Organization {
	made := expectations.Organization("policed-new", theOutsider)
	made.Spec.Parent, made.Spec.Type = parent, kind
	return made
}

var ownersAttempts = []attempt{
	{"an administrator makes themself an owner", theAdministrator,
		merges(`{"spec": {"owners": ["owner@policed.example", "bo@policed.example"]}}`), ourOrganization, ownersAlone},
	{"an administrator makes themself an owner by server-side apply", theAdministrator,
		applies(`{spec: {owners: [bo@policed.example]}}`), ourOrganization, ownersAlone},
	{"an administrator makes themself an owner by replacing the object", theAdministrator,
		replaces(func(o *v1alpha1.Organization) { o.Spec.Owners = append(o.Spec.Owners, theAdministrator) }),
		ourOrganization, ownersAlone},
	{"an administrator adds an owner by a JSON patch", theAdministrator,
		jsonPatches(`[{"op": "add", "path": "/spec/owners/-", "value": "eve"}]`), ourOrganization, ownersAlone},
	{"an owner adds an owner", theOwner,
		jsonPatches(`[{"op": "add", "path": "/spec/owners/-", "value": "eve"}]`), ourOrganization, ""},
	{"an administrator asks for a second factor", theAdministrator,
		merges(`{"spec": {"requireMFA": true}}`), ourOrganization, ownersAlone},
	{"an administrator makes everybody an administrator by default", theAdministrator,
		merges(`{"spec": {"membership": {"defaultRoles": ["administrator"]}}}`), ourOrganization, ownersAlone},
	{"an administrator has new members asked first", theAdministrator,
		merges(`{"spec": {"membership": {"requireAcceptance": true}}}`), ourOrganization, ownersAlone},
	{"an administrator lets invitations be answered for longer", theAdministrator,
		merges(`{"spec": {"membership": {"invitationTTL": "720h"}}}`), ourOrganization, ownersAlone},
	{"an administrator lets tokens live longer", theAdministrator,
		merges(`{"spec": {"tokens": {"maxTTL": "87600h"}}}`), ourOrganization, ownersAlone},
	{"an owner changes the default roles", theOwner,
		merges(`{"spec": {"membership": {"defaultRoles": ["viewer"]}}}`), ourOrganization, ""},
	{"an administrator approves removals that are held", theAdministrator,
		merges(`{"metadata": {"annotations": {"roster.dev/approve-removals": "abc"}}}`), ourOrganization, ownersAlone},
	{"an owner approves removals that are held", theOwner,
		merges(`{"metadata": {"annotations": {"roster.dev/approve-removals": "abc"}}}`), ourOrganization, ""},
	{"billing confirms the deletion beforehand", theBilling,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "policed"}}}`), ourOrganization, ownersAlone},
	{"a pipeline that may write every Organization confirms the deletion", thePipeline,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "policed"}}}`), ourOrganization, ownersAlone},
	{"an administrator adds a finalizer that keeps the organization for ever", theAdministrator,
		jsonPatches(`[{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/held"}]`), ourOrganization, ownersAlone},
	{"an administrator lets it go with an object that isn't there", theAdministrator,
		merges(`{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "0"}]}}`),
		ourOrganization, ownersAlone},
	{"an administrator deletes the organization", theAdministrator, deletes, ourOrganization, ownersAlone},
	{"a pipeline that may write every Organization deletes it", thePipeline, deletes, ourOrganization, ownersAlone},
	{"a pipeline that may write every Organization changes the owners", thePipeline,
		merges(`{"spec": {"owners": ["eve"]}}`), ourOrganization, ownersAlone},
	{"an administrator changes the name that people read", theAdministrator,
		merges(`{"spec": {"displayName": "Policed", "description": "Ours"}}`), ourOrganization, ""},
	{"an administrator changes it with a client that writes durations in full", theAdministrator,
		replaces(func(o *v1alpha1.Organization) { o.Spec.DisplayName = "Policed" }), ourOrganization, ""},
	{"billing changes a label and an annotation", theBilling,
		merges(`{"metadata": {"labels": {"cost": "a"}, "annotations": {"note": "b"}}}`), ourOrganization, ""},
	{"a viewer changes the name that people read", theViewer,
		merges(`{"spec": {"displayName": "Policed"}}`), ourOrganization,
		`User "emil@policed.example" cannot patch resource "organizations" in API group "roster.dev" at the cluster scope`},
	{"an owner of another organization deletes it", theOtherOwner, deletes, ourOrganization,
		`User "owner@policed-other.example" cannot delete resource "organizations" in API group "roster.dev" at the cluster scope`},
}

var placesAttempts = []attempt{
	{"anybody makes an organization", theOutsider, creates, newOrganization("", ""), "organization policed-new" + takesFound},
	{"an owner of another organization makes one", theOwner, creates, newOrganization("", ""),
		"organization policed-new" + takesFound},
	{"a service account of a project makes one", theServiceAccount, creates, newOrganization("", ""),
		"organization policed-new" + takesFound},
	{"anybody makes a Personal organization", theOutsider, creates, newOrganization("", v1alpha1.OrganizationPersonal),
		"organization policed-new" + takesFound},
	{"anybody makes an organization below another", theOutsider, creates, newOrganization(policed, ""),
		"organization policed-new" + takesAdopt},
	{"an owner of the parent without adopt makes one below it", theOwner, creates, newOrganization(policed, ""),
		"organization policed-new" + takesAdopt},
	{"a pipeline without found makes one by server-side apply", thePipeline,
		applies(`{spec: {owners: [eve]}}`), newOrganization("", ""), "organization policed-new" + takesFound},
	{"who holds found makes one", theFounder, creates, newOrganization("", ""), ""},
	{"who holds found makes a Personal one", theFounder, creates, newOrganization("", v1alpha1.OrganizationPersonal), ""},
	{"who holds adopt makes one below", theFounder, creates, newOrganization(policed, ""), ""},
	{"an administrator of the cluster makes one", "", creates, newOrganization(policed, ""), ""},
	{"an owner takes their organization out from below its parent", theOwnerBelow,
		merges(`{"spec": {"parent": null}}`), organizationBelow, "organization policed-below" + takesFound},
	{"an owner moves their organization below one that isn't theirs", theOwner,
		merges(`{"spec": {"parent": "policed-other"}}`), ourOrganization,
		"organization policed would come below policed-other, which takes the verb adopt on organization policed-other of " +
			"roster.dev; ask who runs the cluster for it, or name another spec.parent"},
	{"who may adopt below one parent takes an organization from another", theFounder,
		merges(`{"spec": {"parent": "policed"}}`), expectations.Organization("policed-child", theOutsider),
		"organization policed-child is below policed-other; moving it from there takes the verb adopt on organization " +
			"policed-other of roster.dev; ask who runs the cluster for it, or leave spec.parent as it is"},
	{"who holds found and adopt takes an organization out from below its parent", theFounder,
		merges(`{"spec": {"parent": null}}`), organizationBelow, ""},
	{"who holds found and adopt puts an organization below another", theFounder,
		merges(`{"spec": {"parent": "policed"}}`), expectations.Organization("policed-other", theOtherOwner), ""},
	{"a pipeline moves an organization", thePipeline,
		merges(`{"spec": {"parent": "policed-other"}}`), organizationBelow,
		"organization policed-below would come below policed-other, which takes the verb adopt on organization " +
			"policed-other of roster.dev; ask who runs the cluster for it, or name another spec.parent"},
	{"a pipeline makes a Personal organization Standard", thePipeline, merges(`{"spec": {"type": "Standard"}}`), personalOne,
		"making organization " + personalOne.Name + " a Standard one takes the verb found on organizations of roster.dev; " +
			"ask who runs the cluster for it, or leave spec.type as it is"},
	{"who holds found makes a Personal organization Standard", theFounder, merges(`{"spec": {"type": "Standard"}}`),
		personalOne, ""},
}

// roleNamed is a Role, in an organization's namespace or in roster-system.
func roleNamed(namespace, name string) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

const catalogueAlone = "Roles in roster-system hold in every organization of the cluster and are changed by who holds the " +
	"verb escalate on roles of roster.dev there; make the Role in the namespace of your organization instead"

var catalogueAttempts = []attempt{
	{"who may write Roles there makes one", theClerk, creates, roleNamed(v1alpha1.SystemNamespace, "extra"), catalogueAlone},
	{"who may write Roles there changes one", theClerk, merges(`{"spec": {"clusterRoles": ["cluster-admin"]}}`),
		roleNamed(v1alpha1.SystemNamespace, "viewer"), catalogueAlone},
	{"who may write Roles there deletes one", theClerk, deletes, roleNamed(v1alpha1.SystemNamespace, "none"), catalogueAlone},
	{"who may write Roles there deletes all of a name", theClerk, deletesCollection,
		roleNamed(v1alpha1.SystemNamespace, "none"), catalogueAlone},
	{"an owner changes the catalogue", theOwner, merges(`{"spec": {"clusterRoles": ["cluster-admin"]}}`),
		roleNamed(v1alpha1.SystemNamespace, "viewer"), `User "owner@policed.example" cannot patch resource "roles" in API ` +
			`group "roster.dev" in the namespace "roster-system"`},
	{"an administrator of the cluster makes one", "", creates, roleNamed(v1alpha1.SystemNamespace, "extra"), ""},
}
