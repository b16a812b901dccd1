// Package catalogue reads what the role catalogues are held against: the matrices of which role of a product may do
// what, and the manifests under config. Tests with and without a cluster share it.
package catalogue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
)

// SharedDataVariable names the environment variable that points at the folder with role-matrices in it. Default:
// ../shared/data, seen from the module's root.
const SharedDataVariable = "ROSTER_SHARED_DATA"

// ResetMFA belongs to no role of any catalogue: it goes through the operator of the platform.
const ResetMFA v1alpha1.Permission = "mfa.reset"

const (
	levelRead  = "read"
	levelWrite = "write"
	// managesMembers is what the owner of the catalogue by modules may do besides writing every module.
	managesMembers v1alpha1.Permission = "members.manage"
)

// Catalogue is one of the catalogues under config/roles/catalogues.
type Catalogue struct {
	// Folder under config/roles/catalogues, and the name of the matrix's file.
	Folder string
	// Prefix of its Roles' names: the matrix's role owner is Role PREFIX-owner.
	Prefix string
}

// Catalogues are those that have a matrix.
var Catalogues = []Catalogue{
	{Folder: "cdn-account", Prefix: "cdn"},
	{Folder: "modules", Prefix: "modules"},
	{Folder: "search-analytics", Prefix: "search"},
	{Folder: "web-publishing", Prefix: "web"},
}

// Matrix is a product's roles, and which role may do which action.
type Matrix struct {
	// Reading says how the source was read: stated, or as a chain.
	Reading string `json:"reading"`
	// Roles from the strongest to the weakest.
	Roles []string `json:"roles,omitempty"`
	// Permissions are the actions, each with the roles that may do it.
	Permissions map[v1alpha1.Permission][]string `json:"permissions,omitempty"`

	// Modules are given to a member one by one, each at one of the Levels.
	Modules []string `json:"modules,omitempty"`
	// Levels are none, read and write; write includes read.
	Levels []string `json:"levels,omitempty"`
	// Default is the level of every module for a member who was just added.
	Default string `json:"default,omitempty"`
}

// Holder is who holds some of a catalogue's roles, and what the matrix says about that.
type Holder struct {
	// Name tells the holder from the others of the catalogue.
	Name string
	// Roles are names of Roles under config/roles/catalogues.
	Roles []v1alpha1.RoleName
	// Allowed is what the holder may do; everything else is denied.
	Allowed sets.Set[v1alpha1.Permission]
}

// Directory is the folder with the catalogue's Roles.
func (c Catalogue) Directory() (string, error) {
	root, err := environment.ModuleRoot()
	return filepath.Join(root, "config", "roles", "catalogues", c.Folder), err
}

// Matrix reads the catalogue's matrix. The error is fs.ErrNotExist where there is none.
func (c Catalogue) Matrix() (*Matrix, error) {
	data := os.Getenv(SharedDataVariable)
	if data == "" {
		root, err := environment.ModuleRoot()
		if err != nil {
			return nil, err
		}
		data = filepath.Join(root, "..", "shared", "data")
	}
	path := filepath.Join(data, "role-matrices", c.Folder+".yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the matrix (set %s to the folder that has role-matrices in it): %w",
			SharedDataVariable, err)
	}
	matrix := &Matrix{}
	if err := yaml.UnmarshalStrict(content, matrix); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return matrix, nil
}

// Columns are all permissions that a holder is asked about, sorted.
func (m *Matrix) Columns() []v1alpha1.Permission {
	columns := sets.KeySet(m.Permissions).Insert(ResetMFA)
	if len(m.Modules) > 0 {
		columns = columns.Union(m.everyModule(levelWrite)).Insert(managesMembers)
	}
	return sets.List(columns)
}

// Holders are the rows of the matrix: who holds one role each, or one level of one module and the default of the
// others.
func (c Catalogue) Holders(matrix *Matrix) []Holder {
	holders := c.moduleHolders(matrix)
	for _, role := range matrix.Roles {
		holder := Holder{Name: role, Roles: []v1alpha1.RoleName{c.role(role)}, Allowed: sets.New[v1alpha1.Permission]()}
		for permission, roles := range matrix.Permissions {
			if slices.Contains(roles, role) {
				holder.Allowed.Insert(permission)
			}
		}
		holders = append(holders, holder)
	}
	return holders
}

func (c Catalogue) moduleHolders(matrix *Matrix) []Holder {
	if len(matrix.Modules) == 0 {
		return nil
	}
	holders := []Holder{
		{
			Name:    "owner",
			Roles:   []v1alpha1.RoleName{c.role("owner")},
			Allowed: matrix.everyModule(levelWrite).Insert(managesMembers),
		},
		{
			Name:    "default",
			Roles:   []v1alpha1.RoleName{c.role("default")},
			Allowed: matrix.everyModule(matrix.Default),
		},
	}
	for _, module := range matrix.Modules {
		for _, level := range matrix.Levels {
			holders = append(holders, c.moduleHolder(matrix, module, level))
		}
	}
	return holders
}

// moduleHolder holds one module at the level, and the others at the default.
func (c Catalogue) moduleHolder(matrix *Matrix, module, level string) Holder {
	holder := Holder{Name: module + "-" + level, Allowed: sets.New[v1alpha1.Permission]()}
	for _, each := range matrix.Modules {
		eachLevel := matrix.Default
		if each == module {
			eachLevel = level
		}
		if permissions := modulePermissions(each, eachLevel); len(permissions) > 0 {
			holder.Allowed = holder.Allowed.Union(permissions)
			holder.Roles = append(holder.Roles, c.role(each+"-"+eachLevel))
		}
	}
	return holder
}

func (m *Matrix) everyModule(level string) sets.Set[v1alpha1.Permission] {
	permissions := sets.New[v1alpha1.Permission]()
	for _, module := range m.Modules {
		permissions = permissions.Union(modulePermissions(module, level))
	}
	return permissions
}

// modulePermissions are what a level of a module permits: write includes read, none is nothing.
func modulePermissions(module, level string) sets.Set[v1alpha1.Permission] {
	permissions := sets.New[v1alpha1.Permission]()
	if level == levelRead || level == levelWrite {
		permissions.Insert(v1alpha1.Permission(module + "." + levelRead))
	}
	if level == levelWrite {
		permissions.Insert(v1alpha1.Permission(module + "." + levelWrite))
	}
	return permissions
}

func (c Catalogue) role(name string) v1alpha1.RoleName {
	return v1alpha1.RoleName(c.Prefix + "-" + name)
}
