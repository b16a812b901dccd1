package peribolos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// name is a text together with where it was written.
type name struct {
	text  string
	place Place
}

// field is an entry of a mapping: its key, and the node of its value.
type field struct {
	name
	value *yaml.Node
}

// document reads the YAML of one file; what doesn't fit becomes an InputError that names the line.
type document struct {
	file string
}

// place returns where a node was written.
func (d document) place(node *yaml.Node) Place { return Place{File: d.file, Line: node.Line} }

// failure returns an InputError at a node.
func (d document) failure(node *yaml.Node, format string, arguments ...any) error {
	return &InputError{Place: d.place(node), Message: fmt.Sprintf(format, arguments...)}
}

// decode returns the root of the file's only YAML document.
func (d document) decode(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil, &InputError{Place: Place{d.file, 1}, Message: "the file holds no YAML document"}
	} else if err != nil {
		return nil, d.syntaxError(err)
	}
	var next yaml.Node
	if err := decoder.Decode(&next); err == nil {
		return nil, d.failure(&next, "the file holds more than one YAML document; put each into a file of its own")
	} else if !errors.Is(err, io.EOF) {
		return nil, d.syntaxError(err)
	}
	// Nodes may still repeat a key, hold themselves by an alias, or multiply by many aliases. Decoding into values finds
	// that out.
	var values any
	if err := root.Decode(&values); err != nil {
		return nil, d.syntaxError(err)
	}
	return root.Content[0], nil
}

// yamlErrorLine finds the first line number and what follows it in an error of the YAML library.
var yamlErrorLine = regexp.MustCompile(`line (\d+): (.*)`)

// syntaxError turns an error of the YAML library into one with a place. The library has the line only in its text.
func (d document) syntaxError(err error) error {
	message, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if match := yamlErrorLine.FindStringSubmatch(message); match != nil {
		message = match[2]
		if number, err := strconv.Atoi(match[1]); err == nil {
			line = number
		}
	}
	return &InputError{Place: Place{d.file, line}, Message: "not valid YAML: " + message}
}

// fields returns the entries of a mapping in the order of the file; an absent value has none.
func (d document) fields(what string, node *yaml.Node) ([]field, error) {
	node = resolved(node)
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, d.failure(node, "%s: expected a mapping, found %s", what, describe(node))
	}
	fields := make([]field, 0, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		key := resolved(node.Content[i])
		if key.Kind != yaml.ScalarNode || isNull(key) || key.Value == "" {
			return nil, d.failure(key, "%s: expected a name as the key, found %s", what, describe(key))
		}
		if key.Tag == "!!merge" {
			return nil, d.failure(key, "%s: merge keys (<<) aren't supported; write the entries out", what)
		}
		fields = append(fields, field{name{key.Value, d.place(key)}, node.Content[i+1]})
	}
	return fields, nil
}

// names returns the entries of a list of names; an absent value has none.
func (d document) names(what string, node *yaml.Node) ([]name, error) {
	node = resolved(node)
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode {
		return nil, d.failure(node, "%s: expected a list of names, found %s", what, describe(node))
	}
	names := make([]name, 0, len(node.Content))
	for _, item := range node.Content {
		value := resolved(item)
		if value.Kind != yaml.ScalarNode || isNull(value) {
			return nil, d.failure(item, "%s: expected a name in the list, found %s", what, describe(value))
		}
		names = append(names, name{value.Value, d.place(item)})
	}
	return names, nil
}

// text returns a single value, as it is written: a number or a truth value too. An absent value is empty.
func (d document) text(what string, node *yaml.Node) (name, error) {
	value := resolved(node)
	if isNull(value) {
		return name{place: d.place(node)}, nil
	}
	if value.Kind != yaml.ScalarNode {
		return name{}, d.failure(node, "%s: expected a single value, found %s", what, describe(value))
	}
	return name{value.Value, d.place(node)}, nil
}

// resolved returns the node that an alias stands for, or the node itself.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// isNull says whether a key has no value.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// describe names what a node is, for people.
func describe(node *yaml.Node) string {
	switch {
	case isNull(node):
		return "nothing"
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(node.Value)
	}
}
