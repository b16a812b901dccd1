package text

import "fmt"

// Count writes a number with its noun, such as "1 member" and "2 members".
func Count(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}
