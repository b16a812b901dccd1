package text

import "unicode/utf8"

// mark ends what was cut.
const mark = "…"

// Cut shortens a text to a number of bytes (at least those of the mark), with a mark and not within a sign: half a sign
// isn't UTF-8, and would come back from the API server or a database as something else than was written.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(mark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
