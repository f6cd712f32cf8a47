#!/usr/bin/env bash
# Writes services.json from the Ingresses, one entry for each host.
set -euo pipefail

kubectl get ingress -A -o json |
  jq '[.items[] | select(.metadata.annotations["portal/id"]) | {
        id: .metadata.annotations["portal/id"], name: .metadata.annotations["portal/name"],
        category: .metadata.annotations["portal/category"], url: ("https://" + .spec.rules[0].host)
      }] | unique_by(.id)' > services.json
jq -r '"\(length) services"' services.json
