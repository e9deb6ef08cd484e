#!/bin/sh
# One of three servers of ZooKeeper, z1, z2 and z3: zookeeper.sh NUMBER CLIENT QUORUM1 ELECTION1 QUORUM2 ELECTION2 QUORUM3 ELECTION3
# (ports). A leader that is silent for two ticks, two seconds, is given up.
cat > "$FALSETICKER_SCRATCH/zoo.cfg" <<END
dataDir=$FALSETICKER_SCRATCH
clientPort=$2
clientPortAddress=127.0.0.1
tickTime=1000
initLimit=10
syncLimit=2
admin.enableServer=false
server.1=127.0.0.1:$3:$4
server.2=127.0.0.1:$5:$6
server.3=127.0.0.1:$7:$8
END
echo "$1" > "$FALSETICKER_SCRATCH/myid"
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.logFile=System.out \
    -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$FALSETICKER_SCRATCH/zoo.cfg"
