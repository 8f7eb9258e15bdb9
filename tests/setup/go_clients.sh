#!/bin/sh
# Compiles the clients that tests/clients/go/tools.list names, each at its pinned version, into build/clients/bin.
#
# A client that is there at its version already is left alone; its stamp is build/clients/NAME-VERSION. With
# DRYDOCK_NO_INSTALL=1 it compiles nothing: it names what is missing, and fails.
set -eu
cd "$(dirname "$0")/../.."

folder=$PWD/build/clients
status=0

# A Go of this version or later fetches by itself the toolchain that a module asks for. For an older one (Debian 12's) such
# a toolchain is taken from the module proxy here, as the later one would do it.
needed=1.21
toolchain=v0.0.1-go1.26.7
toolchain_home=$folder/go

new_enough() {
	have=$(go env GOVERSION | sed 's/^go//')
	[ "$(printf '%s\n' "$needed" "$have" | sort -V | head -n 1)" = "$needed" ]
}

# Modules carry no execute bits.
fetch_toolchain() {
	module=golang.org/toolchain@$toolchain.$(go env GOOS)-$(go env GOARCH)
	echo "drydock: fetching $module, as $(go env GOVERSION) is too old"
	kept=$(go mod download -json "$module" | sed -n 's/^.*"Dir": "\(.*\)",$/\1/p')
	[ -d "$kept" ] || return 1
	rm -rf "$toolchain_home"
	mkdir -p "$folder"
	cp -r "$kept" "$toolchain_home"
	chmod -R u+w "$toolchain_home"
	chmod +x "$toolchain_home"/bin/* "$toolchain_home"/pkg/tool/*/*
	mkdir -p "$folder/bin"
	ln -sf ../go/bin/go "$folder/bin/go"
}

use_new_enough() {
	[ -x "$toolchain_home/bin/go" ] && PATH=$toolchain_home/bin:$PATH
	new_enough && return
	fetch_toolchain && PATH=$toolchain_home/bin:$PATH && new_enough
}

# `go install PACKAGE@VERSION` wants a module whose go.mod excludes and replaces nothing, and a proxy that lists all of its
# versions. Where the list names the module too, it becomes what a module of ours requires, at that version.
compile() {
	name=$1 package=$2 version=$3 module=$4
	export GOBIN=$folder/bin GOFLAGS=-trimpath GOWORK=off CGO_ENABLED=0
	if [ -z "$module" ]; then
		go install -ldflags='-s -w' "$package@$version"
		return
	fi
	mkdir -p "$folder/modules/$name"
	cd "$folder/modules/$name"
	printf 'module clients/%s\n\ngo %s\n\nrequire %s %s\n' \
		"$name" "$(go env GOVERSION | sed 's/^go//')" "$module" "$version" >go.mod
	rm -f go.sum
	go install -mod=mod -ldflags='-s -w' "$package"
}

install_client() {
	name=$1 package=$2 version=$3 module=$4
	stamp=$folder/$name-$version
	[ -e "$stamp" ] && [ -x "$folder/bin/$name" ] && return
	if [ "${DRYDOCK_NO_INSTALL:-0}" = 1 ]; then
		echo "drydock: missing: $name $version: run $0 without DRYDOCK_NO_INSTALL=1 (it uses go install)" >&2
		return 1
	fi
	if ! use_new_enough; then
		echo "drydock: $name $version needs Go $needed or later; here is $(go env GOVERSION): install a later one" >&2
		return 1
	fi
	echo "drydock: compiling $name $version"
	mkdir -p "$folder/bin"
	rm -f "$folder/$name"-*
	(compile "$name" "$package" "$version" "$module") || return 1
	touch "$stamp"
}

# Every client is tried, also after another one could not be had.
while read -r name package version module; do
	case $name in
	'' | '#'*) continue ;;
	esac
	install_client "$name" "$package" "$version" "$module" </dev/null || status=1
done <tests/clients/go/tools.list
exit $status
