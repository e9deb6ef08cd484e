#!/bin/bash
# A leader by lease: whoever holds the lease in FILE leads, for two seconds by his own wall clock unless he renews it.
# Usage: lease.sh ID FILE
exec 9<> <(:) 8<> "$2"
led=no
while :; do
    flock 8
    read -r holder until < "$2"
    now=${EPOCHREALTIME/./}
    if [[ $holder = "$1" || $now -ge ${until:-0} ]]; then
        echo "$1 $((now + 2000000))" > "$2"
        now_leads=yes
    else
        now_leads=no
    fi
    flock -u 8
    if [[ $now_leads != "$led" ]]; then
        led=$now_leads
        [[ $led = yes ]] && echo "elected leader $1"
    fi
    [[ $led = yes ]] && echo "{\"op\": \"lead\", \"process\": \"$1\", \"value\": $now}"
    read -t 0.1 -u 9
done
