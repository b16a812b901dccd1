#!/bin/sh
# Lists the known vulnerabilities in code that Roster's binaries call, and fails if one of them has a fix.
# The database is pinned as a Go module beside govulncheck: the check needs no internet, and says the same for the same commit.
set -eu
cd "$(dirname "$0")/.."

modules=hack/vulnerabilities/go.mod
go mod download -modfile=$modules golang.org/x/vulndb
version=$(go list -modfile=$modules -m -f '{{.Version}}' golang.org/x/vulndb)
database=$PWD/bin/vulndb/$version
if [ ! -d "$database" ]; then
	rm -rf bin/vulndb
	go tool -modfile=$modules indexdb -out "$database.unfinished" \
		-vulns "$(go list -modfile=$modules -m -f '{{.Dir}}' golang.org/x/vulndb)/data/osv"
	mv "$database.unfinished" "$database"
fi

# govulncheck's status is 0 if it found nothing, 3 if it found something that is called, and others if it could not look.
status=0
found=$(go tool -modfile=$modules govulncheck -db "file://$database" ./cmd/...) || status=$?
echo "$found"
if [ $status -ne 3 ]; then
	exit $status
fi
if echo "$found" | grep -q 'Fixed in: N/A$' && ! echo "$found" | grep 'Fixed in: ' | grep -qv 'N/A$'; then
	echo "none of these vulnerabilities has a fix yet"
	exit
fi
echo "Roster calls code with known vulnerabilities: require the fixed versions above in go.mod (\`go get MODULE@VERSION\`;" \
	"for the standard library \`go get toolchain@goVERSION\`), run \`go mod tidy\` and commit what changes" >&2
exit 1
