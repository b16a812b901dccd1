// Package peribolos turns configurations of peribolos, the tool that keeps GitHub organizations equal to a YAML file,
// into Roster's objects. Reading, converting and writing are three steps: Load, Convert, Files.
package peribolos

import (
	"cmp"
	"fmt"
	"slices"
)

// Place is a line of a file that was read, or a whole folder, which has no line.
type Place struct {
	File string
	Line int
}

// String returns the place as file:line, which editors and terminals can open.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Problem is something that a configuration says and Roster's objects can't say, or not in the same words.
type Problem struct {
	Place   Place
	Message string
}

// String returns the problem after its place.
func (p Problem) String() string { return fmt.Sprintf("%s: %s", p.Place, p.Message) }

// InputError says that a file isn't a configuration of peribolos, or that nothing can be made of it.
type InputError struct {
	Place   Place
	Message string
}

// Error returns the message after its place.
func (e *InputError) Error() string { return fmt.Sprintf("%s: %s", e.Place, e.Message) }

// problemList collects problems as they are found.
type problemList []Problem

// add notes a problem at a place.
func (l *problemList) add(place Place, format string, arguments ...any) {
	*l = append(*l, Problem{Place: place, Message: fmt.Sprintf(format, arguments...)})
}

// sorted returns the problems in the order of files and lines.
func (l problemList) sorted() []Problem {
	slices.SortStableFunc(l, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	return l
}
