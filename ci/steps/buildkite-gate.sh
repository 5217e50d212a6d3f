#!/bin/sh
# The gate as a step of Buildkite: takes the reports of all jobs of the build, judges them,
# and shows the summary on top of the build.
set -eu

out=${QUIETUS_OUT:-quietus-reports}
here=$(cd "$(dirname "$0")" && pwd)

# A checkout may still hold reports of an earlier build.
rm -rf "$out"
mkdir -p "$out"
# No report at all is for the gate to say.
buildkite-agent artifact download "$out/shard-*.json" . || true

code=0
"$here/merge-and-gate.sh" || code=$?
case $code in 0) style=success ;; 1) style=error ;; *) style=warning ;; esac
# An annotation may have 1 MiB. What cannot be shown changes no verdict.
{
  if [ -s "$out/summary.md" ]; then
    head -c 1000000 "$out/summary.md"
  else
    printf 'Quietus: %s\n' "$(cat "$out/verdict")"
  fi
} | buildkite-agent annotate --context quietus --style "$style" || true
exit "$code"
