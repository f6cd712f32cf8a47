#!/usr/bin/env bash
# Shows issuer and end of what each host serves.
set -euo pipefail

for host in portal grafana superset datahub trino doris vault minio dolphin lakefs harbor; do
  printf '%s ' "$host"
  openssl s_client -connect "$host.254carbon.com:443" -servername "$host.254carbon.com" </dev/null 2>/dev/null |
    openssl x509 -noout -issuer -enddate | paste -sd ' '
done
