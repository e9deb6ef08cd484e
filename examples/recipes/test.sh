#!/bin/bash
# A test in a shell: a program in a node, its clock steered, and the answer looked at. Any command that is not done ends it.
# FALSETICKER=/path/to/falseticker examples/recipes/test.sh
set -euo pipefail
falseticker=${FALSETICKER:-falseticker}
node=shell-$$

"$falseticker" create "$node" > /dev/null
trap '"$falseticker" remove "$node" > /dev/null' EXIT

# The program under test: says what year it takes it for, whenever it is asked.
coproc app { exec "$falseticker" run --node "$node" -- bash -c 'while read -r; do printf "%(%Y)T\n" -1; done'; }
program=$app_PID
ask() {
    echo "what year is it?" >&"${app[1]}"
    read -r year <&"${app[0]}"
}

ask
now=$year
"$falseticker" jump "$node" +366d > /dev/null
ask
[ "$year" -gt "$now" ] || { echo "after a jump by a year it says $year"; exit 1; }
"$falseticker" status "$node" --json | grep -q '"unread":\[\]' || { echo "somebody has not read the jump"; exit 1; }
"$falseticker" heal "$node" > /dev/null
ask
[ "$year" = "$now" ] || { echo "after the heal it says $year"; exit 1; }
echo "ok: $now, and a year later"
exec {app[1]}>&-
wait "$program"
