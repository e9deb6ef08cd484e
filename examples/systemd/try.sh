#!/bin/bash
# The recipe tried: a machine of its own with systemd, in which services are put into nodes by drop-ins, and steered.
#
# Needs root, systemd, bubblewrap, busybox (Debian's busybox-static), and control groups of version 2. The machine has this one's
# programs, read only, and nothing else of it: its /etc, /run, /tmp and /dev/shm are empty at first and gone with it.
# FALSETICKER=/path/to/falseticker examples/systemd/try.sh
set -euo pipefail
falseticker=$(realpath "$(command -v "${FALSETICKER:-falseticker}")")
recipe=$(realpath "$(dirname "$0")")

groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
group=${groups:?no control groups of version 2 are mounted}/falseticker-systemd-$$
scratch=$(mktemp -d)
end() {
    rm -rf "$scratch"
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
}
trap end EXIT
mkdir "$group"

# The services, as they would be without falseticker; and their drop-ins.
units=$scratch/units
service() {
    mkdir -p "$units/$1.service.d"
    cp "$recipe/$2" "$units/$1.service.d/"
    printf '%s\n' '[Service]' Type=notify NotifyAccess=all "${@:4}" "ExecStart=$3 /recipe/service.sh $1" > "$units/$1.service"
}
confined=(
    DynamicUser=yes ProtectSystem=strict PrivateTmp=yes PrivateDevices=yes PrivateUsers=yes MemoryDenyWriteExecute=yes
    NoNewPrivileges=yes RestrictNamespaces=yes ProtectProc=invisible SystemCallFilter=@system-service
)
service plain in-node.conf /bin/bash
service confined in-node.conf /bin/bash "${confined[@]}"
service static by-run.conf "/bin/busybox sh"
cp "$recipe/falseticker-node@.service" "$units/"
cat > "$units/steer.service" << 'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /recipe/steer.sh
StandardOutput=append:/run/told
StandardError=inherit
ExecStopPost=/bin/sh -c 'systemctl --no-block exit $EXIT_STATUS'
UNIT
for unit in systemd-sysctl systemd-firstboot systemd-machine-id-commit; do ln -s /dev/null "$units/$unit.service"; done

machine=(
    --unshare-pid --unshare-ipc --unshare-uts --unshare-net --unshare-cgroup --as-pid-1 --die-with-parent
    --cap-add ALL --cap-drop CAP_SYS_TIME --cap-drop CAP_SYS_MODULE --cap-drop CAP_SYS_BOOT
    --ro-bind /usr /usr --tmpfs /usr/local/bin --ro-bind "$falseticker" /usr/local/bin/falseticker
    --proc /proc --ro-bind /proc/sys /proc/sys --dev /dev --tmpfs /dev/shm
    --tmpfs /sys --chmod 0755 /sys --dir /sys/fs --bind "$group" /sys/fs/cgroup
    --tmpfs /run --chmod 0755 /run --dir /tmp --chmod 1777 /tmp --dir /var/log --bind "$units" /etc/systemd/system --ro-bind "$recipe" /recipe
    --setenv container bwrap --chmod 0755 /
)
for part in bin sbin lib lib64; do
    if [ -L "/$part" ]; then machine+=(--symlink "usr/$part" "/$part"); else machine+=(--ro-bind "/$part" "/$part"); fi
done
for file in passwd group nsswitch.conf ld.so.cache alternatives; do machine+=(--ro-bind "/etc/$file" "/etc/$file"); done
: > "$scratch/told"
machine+=(--bind "$scratch/told" /run/told)

# In a group of its own, below which systemd has the services'.
code=0
(
    echo "$BASHPID" > "$group/cgroup.procs"
    exec bwrap "${machine[@]}" /lib/systemd/systemd --unit=steer.service --log-target=console --log-level=warning
) < /dev/null || code=$?
cat "$scratch/told"
exit "$code"
