package mail

import (
	"reflect"
	"strings"

	"github.com/roster-dev/roster/internal/text"
)

// maxHeader is the most characters of a header that somebody's words go into.
const maxHeader = 200

// manyLines is the tag of a field whose line breaks are kept.
const manyLines = "lines"

// oneLine is the text without anything that could look like a second line.
func oneLine(words string) string { return text.OneLine(words) }

// lines is the text with its line breaks, each line as oneLine has it but for leading spaces.
func lines(text string) string {
	split := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range split {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		split[i] = strings.TrimRight(line[:indent]+oneLine(line), " ")
	}
	return strings.Trim(strings.Join(split, "\n"), "\n")
}

// headerText is one line that fits a header. An encoded word in it would be decoded by the reader's program, whatever
// it hides, so none is left.
func headerText(text string) string {
	text = strings.ReplaceAll(oneLine(text), "=?", "= ?")
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxHeader {
		return string(runes[:maxHeader-1]) + "…"
	}
	return text
}

// cleaned is the data with all its texts on one line, but for those whose tag says otherwise.
func cleaned[T any](data T) T {
	value := reflect.ValueOf(&data).Elem()
	for i := range value.NumField() {
		clean := oneLine
		if _, many := value.Type().Field(i).Tag.Lookup(manyLines); many {
			clean = lines
		}
		switch field := value.Field(i); field.Interface().(type) {
		case string:
			field.SetString(clean(field.String()))
		case []string:
			// The caller's list stays as it is.
			list := make([]string, field.Len())
			for j := range list {
				list[j] = clean(field.Index(j).String())
			}
			field.Set(reflect.ValueOf(list))
		}
	}
	return data
}
