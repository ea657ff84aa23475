# Sourced. Makes a copy of the library alone, without what examples and tests
# depend on, in $copy; the lock file of the project stays as it is.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Cargo.toml Cargo.lock README.md clippy.toml src "$copy"
sed -i '/^members = /d;/^default-members = /d' "$copy/Cargo.toml"
sed -i '/^\[dev-dependencies\]/,/^\[lints/{/^\[dev-dep/p;/^tokio = /p;/^\[lints/p;d}' "$copy/Cargo.toml"
