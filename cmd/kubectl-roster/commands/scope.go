package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// anyNamespace is what --namespace may be where the answers tell namespaces apart.
const anyNamespace = "Namespace of the organization to ask about, such as org-acme, or of one of its projects"

// scope says which organization is asked about.
type scope struct {
	connection
	organization     string
	allOrganizations bool
}

// place is what a scope comes to.
type place struct {
	// organization is the namespace of the organization; empty for all.
	organization string
	// namespace is the only one that matters where it isn't the organization's own; empty for all.
	namespace string
}

func (s *scope) addFlags(command *cobra.Command) {
	s.connection.addFlags(command)
	command.Flags().StringVar(&s.organization, "organization", "", "Organization to ask about, instead of its namespace")
	command.MarkFlagsMutuallyExclusive("namespace", "organization")
}

// addAllFlag lets a command ask about all organizations.
func (s *scope) addAllFlag(command *cobra.Command) {
	command.Flags().BoolVarP(&s.allOrganizations, "all-namespaces", "A", false, "Ask about all organizations")
	command.MarkFlagsMutuallyExclusive("namespace", "organization", "all-namespaces")
}

// named is the place that the flags name. Nothing is found where they name none.
func (s *scope) named(ctx context.Context) (place, bool, error) {
	switch {
	case s.organization != "":
		return place{organization: v1alpha1.OrganizationNamespace(s.organization)}, true, nil
	case *s.Namespace == "":
		return place{}, false, nil
	}
	if _, found := v1alpha1.OrganizationOf(*s.Namespace); found {
		return place{organization: *s.Namespace}, true, nil
	}
	found, err := s.projectNamespace(ctx, *s.Namespace)
	return found, err == nil, err
}

// one is the organization that the flags name, or that of kubectl's present namespace.
func (s *scope) one(ctx context.Context) (place, error) {
	if s.allOrganizations {
		return place{}, nil
	}
	named, found, err := s.named(ctx)
	if err != nil || found {
		return named, err
	}
	namespace, _, err := s.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return place{}, err
	}
	if _, found := v1alpha1.OrganizationOf(namespace); !found {
		return place{}, fmt.Errorf("your present namespace %q is no organization's: name one with --organization NAME or "+
			"-n org-NAME (your own: kubectl roster profile)", namespace)
	}
	return place{organization: namespace}, nil
}

// whole is one, where the answers aren't about a single namespace of the organization.
func (s *scope) whole(ctx context.Context) (place, error) {
	found, err := s.one(ctx)
	if err == nil && found.namespace != "" {
		return place{}, fmt.Errorf("namespace %q is a project's, and this is about a whole organization: use -n %s",
			found.namespace, found.organization)
	}
	return found, err
}

// projectNamespace asks the namespace itself which organization it belongs to.
func (s *scope) projectNamespace(ctx context.Context, name string) (place, error) {
	reader, err := s.client()
	if err != nil {
		return place{}, err
	}
	namespace := &corev1.Namespace{}
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		return place{}, fmt.Errorf("which organization namespace %q belongs to can't be read (%w): name the organization with "+
			"--organization, or use its namespace: -n org-NAME", name, err)
	}
	organization := namespace.Labels[v1alpha1.LabelOrganization]
	if organization == "" {
		return place{}, fmt.Errorf("namespace %q belongs to no organization: it has no label %s", name, v1alpha1.LabelOrganization)
	}
	return place{organization: v1alpha1.OrganizationNamespace(organization), namespace: name}, nil
}

// noArguments refuses what is given besides flags, by what is likely meant.
func noArguments(_ *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("%q: this takes no arguments; name an organization with --organization", arguments[0])
	}
	return nil
}

// oneArgument asks for exactly one.
func oneArgument(name, meaning string) cobra.PositionalArgs {
	return func(_ *cobra.Command, arguments []string) error {
		switch {
		case len(arguments) > 1:
			return errors.New("name one " + name + " only")
		// Empty is what a script's unset variable comes to.
		case len(arguments) == 0 || arguments[0] == "":
			return fmt.Errorf("name the %s: %s", name, meaning)
		}
		return nil
	}
}
