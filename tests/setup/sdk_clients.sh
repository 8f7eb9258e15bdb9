#!/bin/sh
# Builds the scenarios that tests/clients/sdk has for the AWS SDKs, each into build/clients/sdk/LANGUAGE.
#
#   tests/setup/sdk_clients.sh [LANGUAGE...]      default: all of them
#
# One whose sources have not changed since is left alone. With DRYDOCK_NO_INSTALL=1 it builds nothing: it names what is
# missing, and fails.
set -eu
cd "$(dirname "$0")/../.."
. tests/setup/cargo.sh

folder=$PWD/build/clients/sdk
# The Go that go_clients.sh fetched, where the distribution's is too old.
PATH=$PWD/build/clients/bin:$PATH
status=0

build_javascript() {
	cp tests/clients/sdk/javascript/*.js* tests/clients/sdk/javascript/.npmrc "$1"
	(cd "$1" && npm ci --silent)
}

build_go() {
	(cd tests/clients/sdk/go && GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$1/scenario" .)
}

build_java() {
	mvn --quiet --batch-mode --file tests/clients/sdk/java/pom.xml -Doutput="$1" compile dependency:copy-dependencies
}

build_rust() {
	cargo=$(find_cargo) || {
		echo "drydock: the scenario in Rust needs cargo $rust_needed or later" >&2
		return 1
	}
	RUSTC=$(echo "$cargo" | sed 's/cargo/rustc/')
	export RUSTC
	(cd tests/clients/sdk/rust && "$cargo" build --quiet --locked --target-dir "$1")
}

sources_digest() {
	find "tests/clients/sdk/$1" -type f | LC_ALL=C sort | xargs sha256sum | sha256sum
}

build() {
	stamp=$folder/$1.built
	digest=$(sources_digest "$1")
	[ -e "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ] && return
	if [ "${DRYDOCK_NO_INSTALL:-0}" = 1 ]; then
		echo "drydock: missing: the scenario in $1: run $0 without DRYDOCK_NO_INSTALL=1 (it fetches the AWS SDK)" >&2
		return 1
	fi
	echo "drydock: building the scenario in $1"
	mkdir -p "$folder/$1"
	"build_$1" "$folder/$1" || return 1
	echo "$digest" >"$stamp"
}

# Every one is tried, also after another one has failed.
for language in ${*:-javascript go java rust}; do
	build "$language" || status=1
done
exit $status
