# To be sourced: which cargo compiles the scenario in Rust (tests/clients/sdk/rust/Cargo.toml: rust-version).

rust_needed=1.85

# at_least NEEDED HAVE: whether HAVE is that version or a later one.
at_least() {
	[ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Prints the first cargo that is new enough: the one on PATH, or one that the distribution has under a name with its version.
find_cargo() {
	for cargo in cargo /usr/bin/cargo-1.*; do
		version=$("$cargo" --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
		if [ -n "$version" ] && at_least $rust_needed "$version"; then
			echo "$cargo"
			return
		fi
	done
	return 1
}

# Prints the package that brings such a cargo: the distribution's own; where that is older (Debian 12, Ubuntu 24.04) the later
# one that it keeps for its browsers, or one with its version in its name.
cargo_package() {
	usual=$(apt-cache policy rustc | sed -n 's/^  Candidate: //p')
	named=$(apt-cache search --names-only '^cargo-1\.[0-9]+$' | sed -n 's/^cargo-\([0-9.]*\) .*/\1/p' | sort -V | tail -n 1)
	if at_least $rust_needed "$usual"; then
		echo cargo
	elif apt-cache show cargo-web >/dev/null 2>&1; then
		echo cargo-web
	elif [ -n "$named" ] && at_least $rust_needed "$named"; then
		echo "cargo-$named"
	else
		echo "drydock: this release has no Rust $rust_needed or later: install one from elsewhere, and put its cargo on PATH" >&2
		return 1
	fi
}
