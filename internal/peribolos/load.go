package peribolos

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
)

// Configuration is what was read: organizations, and what couldn't be carried over of the files.
type Configuration struct {
	organizations []*organization
	problems      problemList
}

// file is a file to read, and the organization that it is a part of if it doesn't say so itself.
type file struct {
	path         string
	organization string
}

// Load reads files, and folders with all YAML files in and below them. A file either names its organizations under the
// key orgs, or is a part of one: of the one given here, if it isn't empty; else of the one named after the folder (after
// the file, for a file that was given itself). A given organization is also the name of a single one under orgs.
func Load(paths []string, organization string) (*Configuration, error) {
	configuration := &Configuration{}
	for _, path := range paths {
		files, err := filesAt(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if organization != "" {
				file.organization = organization
			}
			if err := configuration.read(file); err != nil {
				return nil, err
			}
		}
	}
	return configuration, configuration.rename(organization)
}

// read adds what a file says.
func (c *Configuration) read(file file) error {
	data, err := os.ReadFile(file.path)
	if err != nil {
		return err
	}
	parser := parser{document: document{file: file.path}}
	organizations, err := parser.parse(data)
	if err != nil {
		return err
	}
	c.problems = append(c.problems, parser.problems...)
	for _, organization := range organizations {
		if organization.name.text == "" {
			organization.name.text = file.organization
		}
		c.add(organization)
	}
	return nil
}

// add adds an organization, or a further part of one that is known already.
func (c *Configuration) add(part organization) {
	known := slices.IndexFunc(c.organizations, func(o *organization) bool { return o.name.text == part.name.text })
	if known < 0 {
		c.organizations = append(c.organizations, &part)
		return
	}
	whole := c.organizations[known]
	if whole.displayName.text == "" {
		whole.displayName = part.displayName
	}
	if whole.description.text == "" {
		whole.description = part.description
	}
	whole.admins = append(whole.admins, part.admins...)
	whole.members = append(whole.members, part.members...)
	whole.teams = append(whole.teams, part.teams...)
}

// rename gives the only organization the name that was asked for.
func (c *Configuration) rename(organization string) error {
	if organization == "" {
		return nil
	}
	if len(c.organizations) > 1 {
		found := make([]string, 0, len(c.organizations))
		for _, organization := range c.organizations {
			found = append(found, organization.name.text)
		}
		return fmt.Errorf("organization %q can be the name of one organization, and the input has %d: %s; leave the name "+
			"out, or import them one by one", organization, len(found), strings.Join(found, ", "))
	}
	c.organizations[0].name.text = organization
	return nil
}

// filesAt returns the file at a path, or the YAML files in and below the folder at a path, sorted.
func filesAt(path string) ([]file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return filesBelow(path, absolute)
	}
	base := filepath.Base(absolute)
	called := strings.TrimSuffix(base, filepath.Ext(base))
	if called == "org" || called == "teams" {
		called = filepath.Base(filepath.Dir(absolute))
	}
	return []file{{path: path, organization: called}}, nil
}

// filesBelow returns the YAML files in and below a folder, without hidden folders.
func filesBelow(path, absolute string) ([]file, error) {
	var files []file
	// A folder with an org.yaml is an organization's. Folders come before what is in them.
	owned := sets.New[string]()
	err := fs.WalkDir(os.DirFS(path), ".", func(below string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && below != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() && isFile(filepath.Join(path, below, "org.yaml")):
			owned.Insert(below)
		case !entry.IsDir() && isYAML(entry.Name()):
			folder := filepath.Join(absolute, owningFolder(filepath.Dir(below), owned))
			files = append(files, file{path: filepath.Join(path, below), organization: filepath.Base(folder)})
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = &InputError{Place: Place{File: path}, Message: "the folder holds no YAML file (*.yaml, *.yml)"}
	}
	return files, err
}

// owningFolder returns the nearest folder at or above a folder that is an organization's, or else the topmost one.
func owningFolder(folder string, owned sets.Set[string]) string {
	for folder != "." && !owned.Has(folder) {
		folder = filepath.Dir(folder)
	}
	return folder
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func isYAML(name string) bool {
	extension := filepath.Ext(name)
	return extension == ".yaml" || extension == ".yml"
}
