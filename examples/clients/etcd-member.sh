#!/bin/sh
# One of three members of etcd, m0, m1 and m2: etcd-member.sh NUMBER PORT PEER0 PEER1 PEER2. Its data is in the node's own directory.
url=http://127.0.0.1
eval "own=$url:\${$(($1 + 3))}"
exec etcd --name "m$1" --data-dir "$FALSETICKER_SCRATCH" --logger=zap \
    --listen-client-urls "$url:$2" --advertise-client-urls "$url:$2" \
    --listen-peer-urls "$own" --initial-advertise-peer-urls "$own" \
    --initial-cluster "m0=$url:$3,m1=$url:$4,m2=$url:$5"
