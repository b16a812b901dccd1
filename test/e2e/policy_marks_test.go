package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	attested = "that user policed-plain has a second factor is said by who holds the verb attest-mfa on users of " +
		"roster.dev, as the identity provider does; leave spec.mfa as it is, or ask who runs the cluster"
	attestedNew = "that user policed-new has a second factor is said by who holds the verb attest-mfa on users of " +
		"roster.dev, as the identity provider does; leave spec.mfa as it is, or ask who runs the cluster"
	resetFactor = "the second factor of user policed-enrolled is taken back or changed by who holds the verb reset-mfa on " +
		"users of roster.dev; leave spec.mfa as it is, or ask who runs the cluster"
	enrols  = `{"spec": {"mfa": {"enrolled": true, "method": "totp", "since": "2026-01-31T00:00:00Z"}}}`
	unenrol = `{"spec": {"mfa": {"enrolled": false}}}`
)

// userNamed is a User whose username is its name.
func userNamed(name string, enrolled bool) *v1alpha1.User {
	return &v1alpha1.User{ObjectMeta: named(name), Spec: v1alpha1.UserSpec{
		Username: v1alpha1.Username(name), MFA: v1alpha1.MultiFactorAuthentication{Enrolled: enrolled},
	}}
}

var (
	enrolledUser, plainUser = userNamed("policed-enrolled", true), userNamed("policed-plain", false)

	secondFactorAttempts = []attempt{
		{"who may write Users enrols somebody", thePipeline, merges(enrols), plainUser, attested},
		{"the support desk enrols somebody", theSupportDesk, merges(enrols), plainUser, attested},
		{"who may write Users makes one who is enrolled", thePipeline, creates, userNamed("policed-new", true), attestedNew},
		{"who may write Users makes one who isn't", thePipeline, creates, userNamed("policed-new", false), ""},
		{"who may write Users changes an address", thePipeline,
			merges(`{"spec": {"email": "e@policed.example"}}`), enrolledUser, ""},
		{"who may write Users takes a second factor back", thePipeline, merges(unenrol), enrolledUser, resetFactor},
		{"who may write Users drops all that is known of it", thePipeline,
			merges(`{"spec": {"mfa": null}}`), enrolledUser, resetFactor},
		{"who may write Users changes the method", thePipeline,
			merges(`{"spec": {"mfa": {"method": "sms"}}}`), enrolledUser, resetFactor},
		{"the identity provider takes a second factor back", theIdentityProvider, merges(unenrol), enrolledUser, resetFactor},
		{"the identity provider enrols somebody", theIdentityProvider, merges(enrols), plainUser, ""},
		{"the identity provider makes somebody who is enrolled", theIdentityProvider, creates,
			userNamed("policed-new", true), ""},
		{"the support desk takes a second factor back", theSupportDesk, merges(unenrol), enrolledUser, ""},
		{"an owner enrols themself", theOwner, merges(enrols), plainUser,
			`User "owner@policed.example" cannot patch resource "users" in API group "roster.dev" at the cluster scope`},
		{"an administrator of the cluster enrols somebody", "", merges(enrols), plainUser, ""},
	}
)

const (
	stampOfChange   = "annotation roster.dev/changed-by says who changed the object and is written by Roster; leave it as it is"
	stampOfDeletion = "annotation roster.dev/deleted-by says who deleted the object and is written by Roster alone; leave it " +
		"as it is"
	labelsOfRoster = "labels roster.dev/* and app.kubernetes.io/managed-by=roster are Roster's own; leave them as they are and " +
		"choose labels of your own"
	finalizerOfRoster = "finalizers roster.dev/access and roster.dev/token stand for access that is still there; delete the " +
		"object and Roster takes them off when that access is gone"
)

var (
	someMembership = expectations.Membership(policed, "dora", theDeveloper)
	newMembership  = expectations.Membership(policed, "new", "eve@policed.example", "none")
	someProject    = expectations.Project(policed, "shop")

	markAttempts = []attempt{
		{"somebody names another as who changed an object, which isn't kept", theMaintainer,
			forges(v1alpha1.AnnotationChangedBy, stampOfChange), makers, ""},
		{"an administrator of the cluster names another as who changed it, which isn't kept", "",
			forges(v1alpha1.AnnotationChangedBy, stampOfChange), makers, ""},
		{"somebody names another as who made an object, which isn't kept", theAdministrator,
			forgesNew(v1alpha1.AnnotationChangedBy, stampOfChange), newMembership, ""},
		{"somebody writes their own name as who changed an object", theMaintainer,
			merges(`{"metadata": {"annotations": {"roster.dev/changed-by": "cy@policed.example"}}}`), makers, ""},
		{"somebody names another as who deleted an object, which isn't kept", theMaintainer,
			forges(v1alpha1.AnnotationDeletedBy, stampOfDeletion), makers, ""},
		{"an administrator of the cluster names another as who deleted it, which isn't kept", "",
			forges(v1alpha1.AnnotationDeletedBy, stampOfDeletion), makers, ""},
		{"somebody makes an object that somebody has deleted, which isn't kept", theAdministrator,
			forgesNew(v1alpha1.AnnotationDeletedBy, stampOfDeletion), newMembership, ""},
		{"an administrator says whose binding a Membership is", theAdministrator,
			merges(`{"metadata": {"labels": {"roster.dev/organization": "policed-other"}}}`), someMembership, labelsOfRoster},
		{"a maintainer labels a Project as Roster labels namespaces", theMaintainer,
			merges(`{"metadata": {"labels": {"roster.dev/project": "vault"}}}`), someProject, labelsOfRoster},
		{"a maintainer says that Roster made a Team", theMaintainer,
			merges(`{"metadata": {"labels": {"app.kubernetes.io/managed-by": "roster"}}}`), otherTeam, labelsOfRoster},
		{"an administrator says so by server-side apply", theAdministrator,
			applies(`{metadata: {labels: {app.kubernetes.io/managed-by: roster}}}`), otherTeam, labelsOfRoster},
		{"a maintainer says that another tool made a Team", theMaintainer,
			merges(`{"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}`), otherTeam, ""},
		{"a maintainer labels a Project", theMaintainer, merges(`{"metadata": {"labels": {"tier": "gold"}}}`), someProject, ""},
		{"an administrator takes the finalizer off a Membership", theAdministrator,
			merges(`{"metadata": {"finalizers": null}}`), someMembership, finalizerOfRoster},
		{"an owner puts another finalizer in its place", theOwner,
			merges(`{"metadata": {"finalizers": ["example.com/held"]}}`), someMembership, finalizerOfRoster},
		{"a maintainer takes the finalizer off a Project", theMaintainer,
			jsonPatches(`[{"op": "remove", "path": "/metadata/finalizers"}]`), someProject, finalizerOfRoster},
		{"an owner takes the finalizer off the organization", theOwner,
			merges(`{"metadata": {"finalizers": null}}`), ourOrganization, finalizerOfRoster},
		{"who is past all policies takes the finalizer off", "", merges(`{"metadata": {"finalizers": null}}`), someMembership, ""},
	}
)

const historyOfRoster = "Events with the label app.kubernetes.io/managed-by=roster are Roster's history and are written by Roster " +
	"alone; leave the label out"

// recordOf is an Event that says what it would say of a change, in the developer's project.
func recordOf(label string) *eventsv1.Event {
	change := history.Change{
		Object:       history.Object{Kind: "Organization", Name: policed, UID: "uid"},
		Organization: v1alpha1.OrganizationNamespace(policed), Time: time.Now(),
		Actor: history.Actor{Name: theOwner}, Action: "OwnersAdded", Field: "spec.owners", New: `["dora@policed.example"]`,
	}
	event := history.NewEvent(change, "policed-shop")
	event.Regarding.Namespace = "policed-shop"
	event.Labels = map[string]string{v1alpha1.LabelManagedBy: label}
	return event
}

// historyAttempts are made in a project, where Kubernetes lets developers write Events.
var historyAttempts = []attempt{
	{"a developer writes an Event that would be read as Roster's own", theDeveloper, creates,
		recordOf(v1alpha1.ManagedByRoster), historyOfRoster},
	{"a developer writes it as an Event of the older API", theDeveloper, creates, &corev1.Event{
		ObjectMeta:     recordOf(v1alpha1.ManagedByRoster).ObjectMeta,
		InvolvedObject: corev1.ObjectReference{Namespace: "policed-shop"},
	}, historyOfRoster},
	{"a developer writes an Event of an application", theDeveloper, creates, recordOf("application"), ""},
}

// statusAttempts are made on each kind.
func statusAttempts() []attempt {
	ready := mergesStatus(`{"status": {"observedGeneration": 99}}`)
	says := "the status says what Roster found and is written by Roster alone; change the spec instead"
	attempts := []attempt{
		{"an owner says that a Membership is in force", theOwner, ready, someMembership, `User "owner@policed.example" cannot ` +
			`patch resource "memberships/status" in API group "roster.dev" in the namespace "org-policed"`},
		{"who is past all policies writes it", "", ready, someMembership, ""},
	}
	for _, object := range []client.Object{
		ourOrganization, someMembership, makers, someProject, roleNamed(v1alpha1.SystemNamespace, "viewer"), plainUser,
		&v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(policed, "wide")},
	} {
		what := fmt.Sprintf("a pipeline says what is in force of a %s", reflect.TypeOf(object).Elem().Name())
		attempts = append(attempts, attempt{what, thePipeline, ready, object, says})
	}
	return attempts
}

// forges writes somebody else's name into a stamp of an object that is there, and fails where that name is kept. The
// webhook puts the true one in its place; the policy refuses where there is no webhook.
func forges(stamp, refusal string) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		patch := fmt.Sprintf(`{"spec": {"description": "Ours"}, "metadata": {"annotations": {%q: "eve"}}}`, stamp)
		return corrected(merges(patch).plainly(ctx, asked, object), object, stamp, refusal)
	}}
}

// forgesNew makes the object with somebody else's name in a stamp.
func forgesNew(stamp, refusal string) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		object.SetAnnotations(map[string]string{stamp: "eve"})
		return corrected(create(ctx, asked, object), object, stamp, refusal)
	}}
}

func corrected(err error, object client.Object, stamp, refusal string) error {
	if err == nil && object.GetAnnotations()[stamp] == "eve" {
		return errors.New("the forged stamp was kept")
	}
	if err != nil && !strings.HasSuffix(err.Error(), ": "+refusal) {
		return err
	}
	return nil
}
