package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const introduction = `<!-- Written by hack/apidocs from config/crd/bases; change the docstrings in api/v1alpha1 and run make manifests. -->

# The kinds and their fields

API group ` + "`roster.dev`" + `, version ` + "`v1alpha1`" + `. Roster never writes the ` + "`spec`" + ` of an object that somebody applied. What the
conditions of each kind say is on a page of its own: [conditions](conditions.md).

Lists that give access are atomic: a second applier's list replaces the first one's, so that an entry that is taken out
of a repository is gone.
`

// explained are fields of types that are explained elsewhere.
var explained = map[string]string{
	"conditions":        "list of [conditions](conditions.md)",
	"projectSelector":   "[LabelSelector](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)",
	"rules":             "list of [PolicyRule](https://kubernetes.io/docs/reference/access-authn-authz/rbac/)",
	"organizationRules": "list of [PolicyRule](https://kubernetes.io/docs/reference/access-authn-authz/rbac/)",
}

func page(definitions []*apiextensionsv1.CustomResourceDefinition) string {
	var text strings.Builder
	text.WriteString(introduction + "\n")
	for _, definition := range definitions {
		kind := definition.Spec.Names.Kind
		fmt.Fprintf(&text, "- [%s](#%s)\n", kind, strings.ToLower(kind))
	}
	for _, definition := range definitions {
		writeKind(&text, definition)
	}
	return text.String()
}

func writeKind(text *strings.Builder, definition *apiextensionsv1.CustomResourceDefinition) {
	version := definition.Spec.Versions[0]
	schema := version.Schema.OpenAPIV3Schema
	fmt.Fprintf(text, "\n## %s\n\n%s\n\n", definition.Spec.Names.Kind, oneLine(schema.Description))
	scope := "in a namespace"
	if definition.Spec.Scope == apiextensionsv1.ClusterScoped {
		scope = "cluster-scoped"
	}
	fmt.Fprintf(text, "- %s; short name `%s`\n", scope, strings.Join(definition.Spec.Names.ShortNames, "`, `"))
	var columns, selectable []string
	for _, column := range version.AdditionalPrinterColumns {
		columns = append(columns, strings.ToUpper(column.Name))
	}
	fmt.Fprintf(text, "- columns of `kubectl get`: %s\n", strings.Join(columns, " "))
	for _, field := range version.SelectableFields {
		selectable = append(selectable, "`"+strings.TrimPrefix(field.JSONPath, ".")+"`")
	}
	if len(selectable) > 0 {
		fmt.Fprintf(text, "- selectable with `--field-selector`: %s\n", strings.Join(selectable, ", "))
	}
	for _, part := range []string{"spec", "status"} {
		described := schema.Properties[part]
		fmt.Fprintf(text, "\n| %s | type | meaning |\n| --- | --- | --- |\n", part)
		writeFields(text, "", described)
	}
	var rules []string
	gatherRules(&rules, "", *schema)
	if len(rules) > 0 {
		text.WriteString("\nRefused, with these words:\n\n" + strings.Join(rules, ""))
	}
}

func writeFields(text *strings.Builder, prefix string, schema apiextensionsv1.JSONSchemaProps) {
	for _, name := range fieldNames(schema) {
		field := schema.Properties[name]
		fmt.Fprintf(text, "| `%s%s` | %s | %s |\n", prefix, name, describeType(schema, name, field),
			strings.ReplaceAll(oneLine(field.Description), "|", `\|`))
		if explained[name] != "" {
			continue
		}
		writeFields(text, prefix+name+".", field)
		if field.Items != nil {
			writeFields(text, prefix+name+"[].", *field.Items.Schema)
		}
	}
}

// fieldNames are those that are required first, then the others, each by name.
func fieldNames(schema apiextensionsv1.JSONSchemaProps) []string {
	var required, others []string
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if slices.Contains(schema.Required, name) {
			required = append(required, name)
		} else {
			others = append(others, name)
		}
	}
	return append(required, others...)
}

func describeType(parent apiextensionsv1.JSONSchemaProps, name string, field apiextensionsv1.JSONSchemaProps) string {
	parts := []string{typeName(name, field)}
	if slices.Contains(parent.Required, name) {
		parts = append(parts, "required")
	}
	parts = append(parts, bounds(field)...)
	if field.Default != nil && string(field.Default.Raw) != "{}" {
		parts = append(parts, "default `"+string(field.Default.Raw)+"`")
	}
	return strings.Join(parts, "; ")
}

func typeName(name string, field apiextensionsv1.JSONSchemaProps) string {
	switch {
	case explained[name] != "":
		return explained[name]
	case field.Items != nil:
		return "list of " + typeName("", *field.Items.Schema)
	case len(field.Enum) > 0:
		values := make([]string, 0, len(field.Enum))
		for _, value := range field.Enum {
			values = append(values, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		return strings.Join(values, ", ")
	case field.Format != "" && field.Type == "string":
		return field.Format
	}
	return field.Type
}

// bounds are the limits that the schema sets.
func bounds(field apiextensionsv1.JSONSchemaProps) []string {
	var found []string
	switch {
	case field.MinItems != nil && field.MaxItems != nil:
		found = append(found, fmt.Sprintf("%d to %d entries", *field.MinItems, *field.MaxItems))
	case field.MaxItems != nil:
		found = append(found, fmt.Sprintf("at most %d entries", *field.MaxItems))
	}
	if field.MaxLength != nil {
		found = append(found, fmt.Sprintf("at most %d characters", *field.MaxLength))
	}
	if field.Items != nil && field.Items.Schema.MaxLength != nil {
		found = append(found, fmt.Sprintf("each at most %d characters", *field.Items.Schema.MaxLength))
	}
	return found
}

// gatherRules lists the messages of the rules that the schema holds, each with its place.
func gatherRules(rules *[]string, place string, schema apiextensionsv1.JSONSchemaProps) {
	for _, rule := range schema.XValidations {
		where := "the object"
		if field := strings.TrimPrefix(place+rule.FieldPath, "."); field != "" {
			where = "`" + field + "`"
		}
		*rules = append(*rules, fmt.Sprintf("- %s: %s\n", where, oneLine(rule.Message)))
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		// Nobody but Roster writes a status.
		if place+name != "status" {
			gatherRules(rules, place+"."+name, schema.Properties[name])
		}
	}
	if schema.Items != nil {
		gatherRules(rules, place+"[]", *schema.Items.Schema)
	}
}

// oneLine joins the lines of a docstring, which are wrapped for the source.
func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
