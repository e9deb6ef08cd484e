#!/bin/sh
# A program in a container has a node's clock: the node's directory is mounted, and one variable names the shim in it.
#
# Needs root, runc, busybox (Debian's busybox-static) and falseticker in PATH. With docker or podman the same is
#   docker run -v "$directory:/falseticker" -e LD_PRELOAD=/falseticker/falseticker.so IMAGE
# A container whose root is not this user needs a node made with --share.
set -eu

node=container-$$
bundle=$(mktemp -d)
end() {
    runc --root "$bundle/state" delete --force "$node" >"$bundle/end" 2>&1 || true
    falseticker remove "$node" >"$bundle/end" 2>&1 || true
    rm -rf "$bundle"
}
trap end EXIT

# The node, and where it is on this side.
unset LD_PRELOAD
falseticker create "$node" >"$bundle/created"
shim=$(falseticker env "$node" | sed 's/^LD_PRELOAD=//')
directory=${shim%/*}

# A root file system: a static busybox, and this machine's date with the libraries that it is linked with.
root=$bundle/rootfs
mkdir -p "$root/bin" "$root/proc" "$root/falseticker"
cp "$(command -v busybox)" "$root/bin/busybox"
cp -L "$(command -v date)" "$root/bin/date"
ldd "$root/bin/date" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done

# Each time by a dynamic program, which loads the shim, and by a static one, which does not.
script='while :; do echo "$(/bin/date +%T)  $(/bin/busybox date +%T)"; /bin/busybox sleep 0.2; done'
cat >"$bundle/config.json" <<JSON
{
  "ociVersion": "1.0.2",
  "root": { "path": "$root" },
  "process": {
    "cwd": "/",
    "user": { "uid": 0, "gid": 0 },
    "args": ["/bin/busybox", "sh", "-c", $(printf '%s' "$script" | sed 's/["\\]/\\&/g; s/.*/"&"/')],
    "env": ["LD_PRELOAD=/falseticker/falseticker.so"]
  },
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/falseticker", "type": "bind", "source": "$directory", "options": ["bind", "rw"] }
  ],
  "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }] }
}
JSON

echo "date      busybox date (static: reached by falseticker attach, not by the shim)"
runc --root "$bundle/state" run --bundle "$bundle" "$node" &
sleep 1
falseticker jump "$node" -1h
sleep 1
falseticker heal "$node"
sleep 1
runc --root "$bundle/state" kill "$node" KILL
wait
