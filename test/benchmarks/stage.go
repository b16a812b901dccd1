package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/test/environment"
)

const (
	organization = "bench"
	owner        = "owner@bench.example"
	teamName     = "everybody"
	// setupWriters is how many requests the preparation has in flight.
	setupWriters = 24
	// patience bounds each wait. It is far above every goal: what takes longer is broken.
	patience = 5 * time.Minute
	// logTail is how many bytes of the manager's log are shown when something is broken.
	logTail = 4096
	// settledFor is how long the manager must have had nothing to do.
	settledFor = 300 * time.Millisecond
)

// stage is the control plane with everything in it that the measurements start from.
type stage struct {
	options   options
	progress  io.Writer
	cluster   *environment.Cluster
	manager   *environment.Manager
	observer  *observer
	clientset kubernetes.Interface
	client    client.Client
	plain     *plainClient

	// users are the team's members, sorted; newcomer is a member of the organization who isn't in the team.
	users    []string
	newcomer string
	// namespaces of the projects.
	namespaces sets.Set[string]
}

// teamBinding is the name of the RoleBinding in each project namespace.
var teamBinding = rbac.ProjectClusterRole(access.RoleReference{Name: v1alpha1.RoleDeveloper})

// prepare starts a control plane and a manager, and makes members, projects and the plain client's namespaces.
func prepare(ctx context.Context, options options, progress io.Writer) (_ *stage, err error) {
	s := &stage{options: options, progress: progress, namespaces: sets.New[string](), newcomer: username(options.users)}
	for n := range options.users {
		s.users = append(s.users, username(n))
	}
	slices.Sort(s.users)
	s.say("starting a control plane")
	if s.cluster, err = environment.Start(ctx, environment.Options{}); err != nil {
		return nil, err
	}
	if err := s.furnish(ctx); err != nil {
		s.showLog()
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func username(n int) string { return fmt.Sprintf("user-%04d@bench.example", n) }

func (s *stage) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(s.progress, format+"\n", arguments...)
}

// showLog shows what the manager said last, before the control plane and its logs are removed.
func (s *stage) showLog() {
	if s.manager == nil {
		return
	}
	content, err := os.ReadFile(s.manager.LogPath())
	if err == nil {
		s.say("the manager's log ends with:\n%s", content[max(0, len(content)-logTail):])
	}
}

func (s *stage) close() error {
	if s.observer != nil {
		s.observer.stop()
	}
	return s.cluster.Stop()
}

// install installs Roster and starts the manager.
func (s *stage) install(ctx context.Context) (err error) {
	if err := s.cluster.InstallRoster(ctx); err != nil {
		return err
	}
	if s.client, err = client.New(s.cluster.Admin(), client.Options{Scheme: manager.NewScheme()}); err != nil {
		return err
	}
	if s.manager, err = s.cluster.StartManager(ctx); err != nil {
		return err
	}
	return s.cluster.ConnectWebhook(ctx)
}

func (s *stage) furnish(ctx context.Context) (err error) {
	if err := s.install(ctx); err != nil {
		return err
	}
	binary := rest.CopyConfig(s.cluster.Admin())
	binary.ContentType, binary.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	if s.clientset, err = kubernetes.NewForConfig(binary); err != nil {
		return err
	}
	if s.observer, err = newObserver(ctx, s.clientset); err != nil {
		return err
	}
	begin := time.Now()
	if err := s.makeOrganization(ctx); err != nil {
		return err
	}
	s.say("%d members and %d projects were ready after %s", s.options.users+1, s.options.namespaces, rounded(time.Since(begin)))
	s.plain, err = newPlainClient(ctx, s.clientset, s.observer, s.options.namespaces)
	return err
}

func (s *stage) makeOrganization(ctx context.Context) error {
	account := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec: v1alpha1.OrganizationSpec{
			Owners: []v1alpha1.Username{owner},
			// Each round ends with the deletion of the team, which the guard would hold.
			Safeguards: v1alpha1.Safeguards{MaxRemovalPercent: ptr.To[int32](100)},
		},
	}
	if err := s.client.Create(ctx, account); err != nil {
		return err
	}
	if err := s.ready(ctx, account, &account.Status.Conditions); err != nil {
		return err
	}
	err := inParallel(ctx, setupWriters, s.options.users+1, func(ctx context.Context, n int) error {
		return s.client.Create(ctx, &v1alpha1.Membership{
			ObjectMeta: inOrganization(fmt.Sprintf("user-%04d", n)),
			Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(username(n))},
		})
	})
	if err != nil {
		return err
	}
	projects := make([]*v1alpha1.Project, s.options.namespaces)
	for n := range projects {
		projects[n] = &v1alpha1.Project{ObjectMeta: inOrganization(fmt.Sprintf("p%04d", n))}
		s.namespaces.Insert(projects[n].NamespaceNames()...)
	}
	err = inParallel(ctx, setupWriters, len(projects), func(ctx context.Context, n int) error {
		return s.client.Create(ctx, projects[n])
	})
	if err != nil {
		return err
	}
	for _, project := range projects {
		if err := s.ready(ctx, project, &project.Status.Conditions); err != nil {
			return err
		}
	}
	return s.settled(ctx)
}

func inOrganization(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: name}
}

// ready waits until an object says Ready.
func (s *stage) ready(ctx context.Context, object client.Object, conditions *[]metav1.Condition) error {
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
		return meta.IsStatusConditionTrue(*conditions, v1alpha1.ConditionReady), err
	})
	if err != nil {
		return fmt.Errorf("wait for %T %s to be Ready: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// settled waits until the manager has had nothing to do for a while.
func (s *stage) settled(ctx context.Context) error {
	_, err := s.settledSince(ctx)
	return err
}

func (s *stage) settledSince(ctx context.Context) (since time.Time, err error) {
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		load, err := readLoad(ctx, s.manager)
		if err != nil || load.busy() {
			since = time.Time{}
			return false, err
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) >= settledFor, nil
	})
	if err != nil {
		return since, fmt.Errorf("wait until the manager has nothing to do: %w", err)
	}
	return since, nil
}

// inParallel does something for 0 to count-1, with so many at a time.
func inParallel(ctx context.Context, writers, count int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for n := range count {
		group.Go(func() error { return do(ctx, n) })
	}
	return group.Wait()
}
