#!/bin/sh
# A sentinel at port $1 that watches the master at port $2: silent for a second, it is down if another one of them says so, too.
cat > "$FALSETICKER_SCRATCH/sentinel.conf" <<END
port $1
bind 127.0.0.1
dir $FALSETICKER_SCRATCH
sentinel monitor set 127.0.0.1 $2 2
sentinel down-after-milliseconds set 1000
sentinel failover-timeout set 2000
END
exec redis-server "$FALSETICKER_SCRATCH/sentinel.conf" --sentinel
