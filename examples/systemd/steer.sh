#!/bin/bash
# What an administrator does with the services of the machine that try.sh starts.
set -euo pipefail
services=(plain confined static)

# By how many seconds the clock of each is off.
look() {
    local service answer
    printf '%-10s' "$1"
    for service in "${services[@]}"; do
        echo "what time is it?" > "/run/clocks/$service.question"
        read -r answer < "/run/clocks/$service.answer"
        printf '  %s %d' "$service" $((answer - $(date +%s)))
    done
    echo
}

mkdir /run/clocks
for service in "${services[@]}"; do mkfifo -m 666 "/run/clocks/$service".{question,answer}; done
systemctl start "${services[@]}"

look started
falseticker jump a -1h > /dev/null
falseticker jump b +1h > /dev/null
look jumped
falseticker heal a > /dev/null
falseticker heal b > /dev/null
look healed

# systemd stops what is frozen: its SIGCONT ends the pause of that service.
exec {pause}< <(falseticker freeze a --for 1m)
read -r frozen <&"$pause"
systemctl stop plain
echo "$frozen; stopped: $(systemctl show -p Result --value plain)"
falseticker thaw a > /dev/null

systemctl stop "${services[@]}" falseticker-node@a
falseticker status
ls -A /dev/shm
