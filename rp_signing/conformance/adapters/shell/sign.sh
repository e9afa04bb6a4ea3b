#!/bin/sh
# Sign an event, then the request that carries it, and send it:
#     sign.sh https://HOST/v1/track API_KEY SECRET_FILE < event.json
# The event is in canonical form already, as `rp-signing canonicalize` prints it; of events with plain ASCII names and
# short numbers, `jq -cS` does too. A body that holds integrity_signature (a batch of signed events) is sent as it is.
# HMAC is spelled out with the shell's own printf: as an argument of openssl, the secret would be in every `ps`.
set -eu; export LC_ALL=C # ${#body} counts bytes
api_key=$2 secret=$(cat "$3") body=$(cat) # without the line ends after them
sha256() { openssl dgst -sha256 -r | cut -c1-64; }
[ ${#secret} -le 64 ] && key=$(printf %s "$secret" | od -An -v -tx1) || key=$(printf %s "$secret" | sha256)
key=$(printf %-128s "$(printf %s "$key" | tr -d ' \n')" | tr ' ' 0 | sed 's/../& /g') # 64 bytes
pad() { for byte in $key; do printf '\\%03o' $((0x$byte ^ $1)); done; }
inner=$(pad 0x36) outer=$(pad 0x5c)
hmac() { { printf "$inner"; cat; } | openssl dgst -sha256 -binary | { printf "$outer"; cat; } | sha256; }
api_key_id=$(printf 'rp1-api-key\n%s' "$api_key" | sha256 | cut -c1-16)
key_id=$(printf rp1-key-id | hmac | cut -c1-16)
sign() { # purpose, timestamp, nonce; the body is what is covered
    set -- RP1-HMAC-SHA256 "$1" "$api_key_id" "$key_id" "$2" "$3" ${#body} "$(printf %s "$body" | sha256)"
    printf '%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s' "$@" | hmac
}
case $body in *integrity_signature*) ;; *) body='{"integrity_signature":"sha256='$(sign event - -)'",'${body#?} ;; esac
timestamp=$(date +%s) nonce=$(openssl rand -base64 16 | tr +/ -_ | tr -d =)
printf %s "$body" | curl -sS --fail-with-body --data-binary @- -K /dev/fd/3 "$1" 3<<END
header = "Content-Type: application/json"
header = "X-RP-Api-Key: $api_key"
header = "X-RP-Key-Id: $key_id"
header = "X-RP-Timestamp: $timestamp"
header = "X-RP-Nonce: $nonce"
header = "X-RP-Signature: sha256=$(sign request "$timestamp" "$nonce")"
END
