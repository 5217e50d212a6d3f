#!/bin/sh
# Shows the results of merge-and-gate.sh on GitHub: the summary of the job, annotations, and
# the outputs `verdict`, `exit-code` and `report`.
set -eu

out=${QUIETUS_OUT:-quietus-reports}
# A step may write 1 MiB of summary; more is refused as a whole.
most=1000000

if [ -s "$out/summary.md" ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  if [ "$(wc -c <"$out/summary.md")" -gt "$most" ]; then
    # The last line is cut somewhere, perhaps inside a character.
    head -c "$most" "$out/summary.md" | sed '$d' >>"$GITHUB_STEP_SUMMARY"
    printf '\n\nThe rest is in the artefact quietus-report.\n' >>"$GITHUB_STEP_SUMMARY"
  else
    cat "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"
  fi
fi
[ ! -s "$out/annotations.txt" ] || cat "$out/annotations.txt"

value() { if [ -s "$out/$1" ]; then cat "$out/$1"; else printf '%s\n' "$2"; fi; }
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  {
    printf 'verdict=%s\n' "$(value verdict inconclusive)"
    printf 'exit-code=%s\n' "$(value exit-code 3)"
    printf 'report=%s\n' "$out/merged.json"
  } >>"$GITHUB_OUTPUT"
fi
