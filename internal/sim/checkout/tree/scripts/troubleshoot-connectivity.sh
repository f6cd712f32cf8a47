#!/usr/bin/env bash
# Asks a name and a port from inside the cluster.
set -euo pipefail

host=${1:?write a host} port=${2:?write a port}
kubectl run "ask-$RANDOM" --rm -i --restart=Never --image=registry.k8s.io/e2e-test-images/agnhost:2.53 -- \
  connect "$host:$port" --timeout=3s
