package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
)

const (
	// readyInterval is how often the objects are looked at while they are waited for.
	readyInterval = 500 * time.Millisecond
	// reportInterval is how often the wait says what it waits for.
	reportInterval = 15 * time.Second
	// shownObjects is how many objects that aren't ready are named.
	shownObjects = 10
	// shownAnswers is how many lines of answers are printed.
	shownAnswers = 60
)

// waitedFor are the kinds that must be Ready.
var waitedFor = []string{"Organization", "Membership", "Team", "Project", "Role", "RoleBinding"}

// question is something that a user may be allowed to do in a project.
type question struct{ verb, group, resource string }

var questions = []question{
	{verb: "create", group: "apps", resource: "deployments"},
	{verb: "get", resource: "pods"},
	{verb: "get", resource: "secrets"},
	{verb: "update", resource: "configmaps"},
}

// viewer looks at what is in the cluster, as the administrator.
type viewer struct{ client client.Client }

func newViewer(cluster *environment.Cluster) (viewer, error) {
	admin, err := client.New(cluster.Admin(), client.Options{})
	return viewer{client: admin}, err
}

// waitUntilReady returns when every object of Roster is Ready for its last change or settled, and tells now and then what is not.
func (v viewer) waitUntilReady(ctx context.Context, timeout time.Duration, report func(pending []string)) error {
	var pending []string
	nextReport := time.Now().Add(reportInterval)
	err := wait.PollUntilContextTimeout(ctx, readyInterval, timeout, true, func(ctx context.Context) (bool, error) {
		var err error
		if pending, err = v.notReady(ctx); err != nil {
			return false, err
		}
		if len(pending) > 0 && time.Now().After(nextReport) {
			report(pending)
			nextReport = time.Now().Add(reportInterval)
		}
		return len(pending) == 0, nil
	})
	if err == nil {
		return nil
	}
	shown := pending[:min(shownObjects, len(pending))]
	return fmt.Errorf("%w: not Ready: %d, among them:\n%s\nMend or delete what is wrong and do it again; what is up stays up",
		err, len(pending), strings.Join(shown, "\n"))
}

// notReady describes the objects of the first kind that has some that are not Ready.
func (v viewer) notReady(ctx context.Context) ([]string, error) {
	for _, kind := range waitedFor {
		objects, err := v.list(ctx, kind)
		if err != nil {
			return nil, err
		}
		var pending []string
		for _, object := range objects {
			if reason := whyNotReady(&object); reason != "" {
				pending = append(pending, fmt.Sprintf("%s %s: %s", kind, client.ObjectKeyFromObject(&object), reason))
			}
		}
		if len(pending) > 0 {
			return pending, nil
		}
	}
	return nil, nil
}

func (v viewer) list(ctx context.Context, kind string) ([]unstructured.Unstructured, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	if err := v.client.List(ctx, &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// whyNotReady is empty when the object is Ready for its last change, or when nothing more comes by itself: an invitation, a
// suspension, an end that was reached.
func whyNotReady(object *unstructured.Unstructured) string {
	var status struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &status); err != nil {
		return err.Error()
	}
	ready := meta.FindStatusCondition(status.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return "Roster hasn't looked at it yet"
	case ready.ObservedGeneration != object.GetGeneration():
		return "Roster hasn't looked at its last change yet"
	case meta.IsStatusConditionTrue(status.Status.Conditions, v1alpha1.ConditionReconciling),
		meta.IsStatusConditionTrue(status.Status.Conditions, v1alpha1.ConditionStalled):
		return ready.Reason + ": " + ready.Message
	default:
		return ""
	}
}

// printAnswers asks the API server what each user may do in each project, and prints a table.
func (v viewer) printAnswers(ctx context.Context, output io.Writer) error {
	users, err := v.users(ctx)
	if err != nil {
		return err
	}
	namespaces, err := v.projectNamespaces(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	heading := "USER\tNAMESPACE"
	for _, question := range questions {
		heading += "\t" + question.verb + " " + question.resource
	}
	_, _ = fmt.Fprintln(table, heading)
	lines := 0
	for _, user := range users {
		for _, namespace := range namespaces {
			if lines++; lines > shownAnswers {
				continue
			}
			answers, err := v.ask(ctx, user, namespace)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", user, namespace, strings.Join(answers, "\t"))
		}
	}
	if lines > shownAnswers {
		_, _ = fmt.Fprintf(table, "… and %d more\n", lines-shownAnswers)
	}
	_, _ = fmt.Fprintln(table)
	return table.Flush()
}

// users are the owners and members of all organizations.
func (v viewer) users(ctx context.Context) ([]string, error) {
	users := sets.New[string]()
	organizations, err := v.list(ctx, "Organization")
	if err != nil {
		return nil, err
	}
	for _, organization := range organizations {
		owners, _, err := unstructured.NestedStringSlice(organization.Object, "spec", "owners")
		if err != nil {
			return nil, err
		}
		users.Insert(owners...)
	}
	memberships, err := v.list(ctx, "Membership")
	if err != nil {
		return nil, err
	}
	for _, membership := range memberships {
		user, _, err := unstructured.NestedString(membership.Object, "spec", "user")
		if err != nil {
			return nil, err
		}
		users.Insert(user)
	}
	users.Delete("")
	return sets.List(users), nil
}

func (v viewer) projectNamespaces(ctx context.Context) ([]string, error) {
	projects, err := v.list(ctx, "Project")
	if err != nil {
		return nil, err
	}
	var namespaces []string
	for _, project := range projects {
		held, _, err := unstructured.NestedStringSlice(project.Object, "status", "namespaces")
		if err != nil {
			return nil, err
		}
		namespaces = append(namespaces, held...)
	}
	slices.Sort(namespaces)
	return namespaces, nil
}

// ask returns yes or no for each question.
func (v viewer) ask(ctx context.Context, user, namespace string) ([]string, error) {
	answers := make([]string, 0, len(questions))
	for _, question := range questions {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:   user,
			Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: question.verb, Group: question.group, Resource: question.resource,
			},
		}}
		if err := v.client.Create(ctx, review); err != nil {
			return nil, err
		}
		answer := "no"
		if review.Status.Allowed {
			answer = "yes"
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// managedBindings counts the RBAC bindings that Roster keeps.
func (v viewer) managedBindings(ctx context.Context) (int, error) {
	count := 0
	for _, kind := range []string{"RoleBindingList", "ClusterRoleBindingList"} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind(kind))
		if err := v.client.List(ctx, &list, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}); err != nil {
			return 0, err
		}
		count += len(list.Items)
	}
	return count, nil
}
