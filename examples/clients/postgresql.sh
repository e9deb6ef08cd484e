#!/bin/sh
# A PostgreSQL with its data in the node's own directory, at port $1. It refuses to run as root, and is then the user postgres.
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as=
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
    chown postgres "$FALSETICKER_SCRATCH"
fi
data=$FALSETICKER_SCRATCH/data
[ -d "$data" ] || $as "$bin/initdb" -D "$data" -U postgres -A trust -N > /dev/null
exec $as "$bin/postgres" -D "$data" -k "$FALSETICKER_SCRATCH" -p "$1" -c listen_addresses=127.0.0.1 -c fsync=off
