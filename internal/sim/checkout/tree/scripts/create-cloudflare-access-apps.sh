#!/usr/bin/env bash
# Creates the Access applications. Needs CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID.
set -euo pipefail

api=https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID:?}/access/apps
for host in portal grafana superset datahub trino doris vault minio dolphin lakefs; do
  jq -n --arg domain "$host.254carbon.com" '{name: $domain, domain: $domain, type: "self_hosted"}' |
    curl -fsS -H "Authorization: Bearer ${CLOUDFLARE_API_TOKEN:?}" -H 'Content-Type: application/json' -d @- "$api"
done
