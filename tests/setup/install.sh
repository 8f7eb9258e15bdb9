#!/bin/sh
# Installs with apt what a make target needs and this machine lacks.
#
#   tests/setup/install.sh SET...
#
#   build     compiler, CMake and the libraries Drydock is built on
#   static    `build` and the source that a statically linked program needs besides (the release build)
#   test      what `make test` needs on top of `build`
#   clients   the real clients that tests/clients drives; those that apt does not have are compiled (go_clients.sh,
#             sdk_clients.sh)
#   bench     what `make bench` compares Drydock with
#   format    the formatter
#
# Says in one line what it is about to install, and does nothing at all when nothing is missing. Libraries and tools are
# looked for by what they provide, so those that came another way count. With DRYDOCK_NO_INSTALL=1 it installs nothing:
# it names what is missing and how to install it, and fails.
set -eu

cjson_source=/usr/src/cjson
missing=

# need PACKAGE COMMAND...: PACKAGE is missing unless COMMAND succeeds.
need() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_library() {
	pkg-config --exists "$1"
}

has_file() {
	for file; do
		[ -e "$file" ] && return 0
	done
	return 1
}

has_llhttp() {
	has_library libllhttp || has_file /usr/include/llhttp.h /usr/local/include/llhttp.h /usr/share/llhttp/llhttp.c
}

has_fuzzer() {
	has_file "$(clang -print-resource-dir)"/lib/*/libclang_rt.fuzzer*.a
}

# Debian's docker.io brings both; a docker from elsewhere will do as well.
has_docker() {
	command -v dockerd && command -v docker
}

has_containerd() {
	command -v containerd && command -v ctr
}

need_build() {
	need cmake command -v cmake
	need ninja-build command -v ninja
	need gcc command -v cc
	need libc6-dev has_file /usr/include/stdio.h
	need pkg-config command -v pkg-config
	need re2c command -v re2c
	need libevent-dev has_library libevent_openssl
	need libssl-dev has_library libssl
	need libsqlite3-dev has_library sqlite3
	need zlib1g-dev has_library zlib
	need libcjson-dev has_library libcjson
	need llhttp has_llhttp
}

need_static() {
	need_build
	need cjson-source has_file $cjson_source/cJSON.c
}

need_test() {
	need_build
	need libcmocka-dev has_library cmocka
	need clang command -v clang
	need libclang-rt has_fuzzer
	need python3 command -v python3
	need python3-venv python3 -c 'import ensurepip, venv'
	need util-linux command -v setpriv
	need openssl command -v openssl
}

need_clients() {
	. "$(dirname "$0")/cargo.sh"
	need_test
	need docker has_docker
	need docker-compose command -v docker-compose
	need debootstrap command -v debootstrap
	need curl command -v curl
	need skopeo command -v skopeo
	need podman command -v podman
	need buildah command -v buildah
	need containerd has_containerd
	need runc has_file /usr/sbin/runc /usr/bin/runc /usr/local/bin/runc /usr/local/sbin/runc
	need golang-go command -v go
	need nodejs command -v node
	need npm command -v npm
	need default-jdk-headless command -v javac
	need maven command -v mvn
	need cargo find_cargo
}

need_bench() {
	need_build
	need python3 command -v python3
	need python3-venv python3 -c 'import ensurepip, venv'
	need docker-registry command -v docker-registry
	need nginx command -v nginx
	need openssl command -v openssl
}

need_format() {
	need clang-format command -v clang-format
}

in_archive() {
	apt-cache show "$1" >/dev/null 2>&1
}

# Prints the packages that provide a name above in this release of the distribution.
packages_of() {
	case $1 in
	llhttp)
		if in_archive libllhttp-dev; then
			echo libllhttp-dev
		elif in_archive node-llhttp; then
			echo node-llhttp
		else
			echo "drydock: this release has no llhttp: take Debian 12, Ubuntu 24.04 or a later one" >&2
			return 1
		fi
		;;
	libclang-rt)
		version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
		if in_archive "libclang-rt-$version-dev"; then
			echo "libclang-rt-$version-dev"
		else
			echo "libclang-common-$version-dev"
		fi
		;;
	docker)
		echo docker.io
		if in_archive docker-cli; then echo docker-cli; fi
		;;
	cjson-source) echo dpkg-dev ;;
	cargo) cargo_package ;;
	*) echo "$1" ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# Packages such as docker.io would start a service; nothing here needs one, so for the while of the installation none is.
forbid_services() {
	[ -e /usr/sbin/policy-rc.d ] && return
	trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
	as_root chmod +x /usr/sbin/policy-rc.d
}

# cJSON comes as a shared library only. Its source, with the distribution's security fixes, is taken from the places
# that this machine's own package lists come from.
install_cjson_source() {
	work=$(mktemp -d)
	chmod 755 "$work"
	mkdir "$work/lists"
	apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sort -u >"$work/sources.list"
	sources="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=- -o Dir::State::Lists=$work/lists"
	apt $sources update
	(cd "$work" && apt $sources -o APT::Sandbox::User=root source cjson)
	as_root rm -rf $cjson_source
	as_root mv "$work"/cjson-*/ $cjson_source
	as_root rm -rf "$work"
}

# The clients that the distribution does not have: compiled, not installed with apt. Both kinds, also after one has failed.
compile_clients() {
	case " $* " in
	*" clients "*) ;;
	*) return 0 ;;
	esac
	compiled=0
	"$(dirname "$0")/go_clients.sh" || compiled=1
	"$(dirname "$0")/sdk_clients.sh" || compiled=1
	return $compiled
}

for set; do
	case $set in
	build | static | test | clients | bench | format) "need_$set" ;;
	*)
		echo "install.sh: no package set is called '$set': build, static, test, clients, bench, format" >&2
		exit 2
		;;
	esac
done
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }
if [ -z "$missing" ]; then
	compile_clients "$@"
	exit
fi

if [ "${DRYDOCK_NO_INSTALL:-0}" = 1 ]; then
	echo "drydock: missing: $missing" >&2
	echo "drydock: install them yourself, or run $0 $* without DRYDOCK_NO_INSTALL=1 (it uses apt)" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	echo "drydock: missing: $missing. This machine has no apt: install what provides them, then try again" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	echo "drydock: missing: $missing. Run $0 $* as root once (there is no sudo here)" >&2
	exit 1
fi

echo "drydock: installing with apt what is missing here: $missing"
apt update
packages=
for name in $missing; do
	packages="$packages $(packages_of "$name")"
done
forbid_services
apt install -y --no-install-recommends $packages
case " $missing " in
*" cjson-source "*) install_cjson_source ;;
esac
compile_clients "$@"
