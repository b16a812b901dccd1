package text

// Strings are values of a type of texts, such as names of roles, as plain texts; nil where there are none.
func Strings[T ~string](values []T) []string {
	var result []string
	for _, value := range values {
		result = append(result, string(value))
	}
	return result
}
