#!/usr/bin/env bash
# Builds the packages that are released, and tries each in a root that has nothing of this machine.
#
# Into FOLDER (target/packages): a tar.gz with the static binary, manual pages, completions, the README, recipes and licences; the same as
# a .deb; SHA256SUMS. The roots are an old Debian (SUITE, bullseye: glibc 2.31), and one with musl and busybox alone.
# Needs root; Rust and a C linker; cargo-deb; the packages bubblewrap, debootstrap, musl-tools, busybox-static. Takes some minutes, the most
# of them for the binary; what it has unpacked and installed is gone at the end.
#
#   packaging/release.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-target/packages}")
suite=${SUITE:-bullseye}
target=x86_64-unknown-linux-gnu

for program in cargo cargo-deb bwrap debootstrap musl-gcc busybox readelf strip; do
    command -v "$program" > /dev/null || { echo "$program is not installed: see the head of $0"; exit 2; }
done
scratch=$(mktemp -d)
end() {
    # Debootstrap, when interrupted, leaves this mounted.
    ! mountpoint -q "$scratch/debian/proc" || umount "$scratch/debian/proc"
    rm -rf --one-file-system "$scratch"
}
trap end EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
began=$SECONDS
step() { echo "[$((SECONDS - began)) s] $*"; }

step "the binary, with libc in it"
RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --release --locked --bin falseticker --target "$target"
binary=target/$target/release/falseticker
if readelf --wide --program-headers --dynamic "$binary" | grep -E 'INTERP|NEEDED'; then echo "$binary is not static"; exit 1; fi

step "manual pages and completions, by itself"
share=target/packaging/share # where Cargo.toml's metadata for the .deb has them from
rm -rf "$share"
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
"$binary" man > "$share/man/man1/falseticker.1"
for command in $("$binary" man | sed -n 's/^falseticker\\-\([a-z]*\)(1)$/\1/p'); do
    "$binary" man "$command" > "$share/man/man1/falseticker-$command.1"
done
"$binary" completions bash > "$share/bash-completion/completions/falseticker"
"$binary" completions zsh > "$share/zsh/site-functions/_falseticker"
"$binary" completions fish > "$share/fish/vendor_completions.d/falseticker.fish"

step "the archive"
version=$("$binary" --version | cut -d' ' -f2)
name=falseticker-$version-x86_64-linux
rm -rf "$folder"
mkdir -p "$folder" "$scratch/$name/bin"
strip -o "$scratch/$name/bin/falseticker" "$binary"
cp -R "$share" "$scratch/$name/"
cp README.md CHANGELOG.md LICENSE LICENSE-APACHE "$scratch/$name/"
mkdir "$scratch/$name/examples"
cp -R examples/systemd examples/container examples/recipes "$scratch/$name/examples/"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$scratch" -c "$name" | gzip -9n > "$folder/$name.tar.gz"

step "the .deb"
cargo deb --quiet --no-build --target "$target" --output "$folder/" > "$scratch/cargo-deb.log"
deb=$(echo "$folder"/falseticker_*_amd64.deb)

# A command in a root, with nothing of this machine but its kernel.
inside() {
    local root=$1
    shift
    bwrap --bind "$root" / --proc /proc --dev /dev --tmpfs /dev/shm --tmpfs /tmp --unshare-all --die-with-parent --clearenv \
        --setenv PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --chdir / "$@"
}
# The archive, unpacked in a root.
unpack() { tar -xzf "$folder/$name.tar.gz" -C "$1/usr/local" --strip-components=1; }

step "the archive where musl is, and no glibc"
musl=$scratch/musl
mkdir -p "$musl"/{bin,lib,usr/local}
cp "$(command -v busybox)" "$musl/bin/busybox"
for applet in sh grep date ls; do ln -s busybox "$musl/bin/$applet"; done
cp -L /lib/ld-musl-x86_64.so.1 "$musl/lib/"
musl-gcc -O2 -o "$musl/bin/now" packaging/now.c
unpack "$musl"
inside "$musl" --ro-bind packaging/works.sh /works.sh sh /works.sh preload now
inside "$musl" --ro-bind packaging/works.sh /works.sh sh /works.sh vdso date +%s

step "a root of Debian's $suite"
debian=$scratch/debian
debootstrap --variant=minbase "$suite" "$debian" > "$scratch/debootstrap.log" || { tail "$scratch/debootstrap.log"; exit 1; }
echo "  $(inside "$debian" ldd --version | head -1)"

step "the archive there"
unpack "$debian"
inside "$debian" --ro-bind packaging/works.sh /works.sh sh /works.sh preload date +%s
rm -r "${debian:?}/usr/local"

step "the .deb there: installed, tried, purged"
inside "$debian" --cap-add ALL --ro-bind "$deb" /falseticker.deb dpkg --install /falseticker.deb > "$scratch/dpkg.log"
inside "$debian" --ro-bind packaging/works.sh /works.sh sh /works.sh preload date +%s
inside "$debian" bash -c '. /usr/share/bash-completion/completions/falseticker; complete -p falseticker' > "$scratch/complete.log"
inside "$debian" --cap-add ALL dpkg --purge falseticker > "$scratch/dpkg.log" 2>&1
left=$(find "$debian/usr" "$debian/etc" -name '*falseticker*')
[ -z "$left" ] || { echo "left by the purge: $left"; exit 1; }

(cd "$folder" && sha256sum -- *.tar.gz *.deb > SHA256SUMS)
step "done"
(cd "$folder" && ls -l)
