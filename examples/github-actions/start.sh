#!/usr/bin/env bash
# Starts acrite in the background and writes its variables where later steps find them.
set -euo pipefail

folder=$RUNNER_TEMP/acrite
mkdir -p "$folder"
# It is read below, perhaps before the background has made it.
: >"$folder/log"
# Word splitting is meant: these are options.
# shellcheck disable=SC2086
nohup "$ACRITE_BINARY" serve --listen 127.0.0.1:0 --data-dir "$folder/data" ${ACRITE_SERVE_OPTIONS:-} >"$folder/log" 2>&1 &
echo $! >"$folder/pid"
for _ in $(seq 100); do
  url=$(sed -n 's/^acrite listening on //p' "$folder/log")
  [ -z "$url" ] || break
  kill -0 "$(cat "$folder/pid")" || break
  sleep 0.1
done
if [ -z "$url" ]; then
  cat "$folder/log" >&2
  exit 1
fi
"$ACRITE_BINARY" env --shell github --data-dir "$folder/data" >>"$GITHUB_ENV"
echo "url=$url" >>"$GITHUB_OUTPUT"
