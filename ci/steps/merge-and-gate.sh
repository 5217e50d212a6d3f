#!/bin/sh
# Puts the reports of all shards together, judges them, and writes them for people and
# machines. Ends with the exit code of the gate; with 3 if it is clean but shards are missing.
#
#   QUIETUS_OUT       where shard-*.json lie, and the results go (default: quietus-reports)
#   QUIETUS_POLICY    the policy of the gate; without it the default one
#   QUIETUS_BASELINE  findings that are known
#
# Written: merged.json, summary.md, annotations.txt, junit.xml, quietus.sarif, index.html,
# exit-code and verdict.
set -eu

out=${QUIETUS_OUT:-quietus-reports}
merged=$out/merged.json
mkdir -p "$out"
for name in merged.json summary.md annotations.txt junit.xml quietus.sarif index.html; do
  rm -f "$out/$name"
done

finish() {
  case $1 in
    0) verdict=clean ;;
    1) verdict=findings ;;
    2) verdict=usage ;;
    3) verdict=inconclusive ;;
    4) verdict=unsupported ;;
    130) verdict=interrupted ;;
    *) verdict=error ;;
  esac
  printf '%s\n' "$1" >"$out/exit-code"
  printf '%s\n' "$verdict" >"$out/verdict"
  printf 'quietus: %s (exit %s)\n' "$verdict" "$1"
  exit "$1"
}

set -- "$out"/shard-*.json
if [ ! -e "$1" ]; then
  printf 'quietus: no report in %s: no shard came to its end\n' "$out" >&2
  finish 3
fi

incomplete=0
code=0
quietus report merge "$@" --output "$merged" || code=$?
if [ "$code" = 3 ]; then
  # What is known is still judged and shown, but it is never clean.
  incomplete=1 code=0
  quietus report merge "$@" --allow-missing --output "$merged" || code=$?
fi
[ "$code" = 0 ] || finish "$code"
[ -s "$merged" ] || finish 3

set -- "$merged"
[ -z "${QUIETUS_BASELINE:-}" ] || set -- "$@" --baseline "$QUIETUS_BASELINE"
[ -z "${QUIETUS_POLICY:-}" ] || set -- "$@" --policy "$QUIETUS_POLICY"
code=0
quietus gate "$@" --format human --output - --format markdown --output "$out/summary.md" \
  --format annotations --output "$out/annotations.txt" --format junit --output "$out/junit.xml" \
  --format sarif --output "$out/quietus.sarif" --format html --output "$out/index.html" || code=$?

if [ "$code" = 0 ] && [ "$incomplete" = 1 ]; then code=3; fi
finish "$code"
