#!/usr/bin/env bash
# Asks every protected host from outside and counts the doors that are open. Needs CLOUDFLARE_TEAM.
set -euo pipefail

team=${CLOUDFLARE_TEAM:?}
open=0
for host in portal grafana superset datahub trino doris vault minio dolphin lakefs; do
  location=$(curl -sS -o /dev/null -w '%{redirect_url}' "https://$host.254carbon.com/")
  case $location in
    "https://$team.cloudflareaccess.com/"*) echo "$host is protected" ;;
    *) echo "$host is open"; open=$((open + 1)) ;;
  esac
done
exit "$((open > 0))"
