#!/bin/bash
# Verifies the records of the hosts.
CLOUDFLARE_API_TOKEN="stand-in-for-a-token-in-a-script"
curl -s -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" "https://api.cloudflare.com/client/v4/zones" | jq -r '.result[].name'
