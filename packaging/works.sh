#!/bin/sh
# What an installed falseticker must do anywhere: run inside a clean root by release.sh.
# works.sh MEANS PROGRAM...: PROGRAM prints the time in seconds, and is reached by MEANS.
set -eu
means=$1
shift

falseticker --version
code=0
said=$(falseticker demo) || code=$?
[ "$code" -eq 0 ] || { echo "$said"; echo "demo: exit code $code"; exit 1; }
for verdict in 'lost-update: violated' 'fencing: violated' 'lost-update: holds' 'fencing: holds'; do
    echo "$said" | grep -q "$verdict" || { echo "$said"; echo "demo: not \"$verdict\""; exit 1; }
done
echo "  demo: violated without fencing tokens, holds with them"

shown=$(falseticker run --jump -1h --reach "$means" -- "$@")
skew=$((shown - $(date +%s)))
[ "$skew" -ge -3605 ] && [ "$skew" -le -3600 ] || { echo "$*, by $means: off by $skew s, not by an hour"; exit 1; }
echo "  $*, by $means: an hour back"
[ -z "$(ls /dev/shm)" ] || { echo "left in /dev/shm: $(ls /dev/shm)"; exit 1; }
