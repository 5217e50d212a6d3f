#!/bin/sh
# Runs one shard of the scenarios, and keeps its report for the gate.
#
#   QUIETUS_PATHS    scenario files and directories, one a line (default: scenarios)
#   QUIETUS_SHARD    i/n; if empty, quietus reads it from the environment of the CI
#   QUIETUS_TIMINGS  an earlier report, by which shards are made equally long. It must be
#                    the same file in every shard, or some scenario runs in none
#   QUIETUS_ARGS     further arguments, one a line
#   QUIETUS_OUT      where reports go (default: quietus-reports)
#   QUIETUS_RESUME   1: go on with the journal of a try of this shard that was cut off.
#                    Only where no older run can have left one
#
# What it finds (exit 1) and what stays unclear (exit 3) do not fail this step, since the
# gate judges all shards together. Everything else does: wrong usage, a machine that cannot.
set -eu

out=${QUIETUS_OUT:-quietus-reports}
shard=${QUIETUS_SHARD:-}
index=${shard%%/*}
# Only a name for the files: which share this is, quietus finds out by itself.
index=${index:-${CI_NODE_INDEX:-${BUILDKITE_PARALLEL_JOB:-${CIRCLE_NODE_INDEX:-${JOB_COMPLETION_INDEX:-1}}}}}
case $index in *[!0-9]*) printf 'quietus: %s is no number of a shard\n' "$index" >&2; exit 2 ;; esac

mkdir -p "$out"
report=$out/shard-$index.json
journal=$out/shard-$index.journal
rm -f "$report"

set --
while IFS= read -r line; do
  [ -z "$line" ] || set -- "$@" "$line"
done <<END
${QUIETUS_ARGS:-}
END
[ -z "$shard" ] || set -- "$@" --shard "$shard"
[ -z "${QUIETUS_TIMINGS:-}" ] || set -- "$@" --timings "$QUIETUS_TIMINGS"
if [ "${QUIETUS_RESUME:-}" = 1 ]; then
  set -- "$@" --journal "$journal"
  [ ! -s "$journal" ] || set -- "$@" --resume
fi
set -- "$@" --format human --output - --format json --output "$report" --
while IFS= read -r line; do
  [ -z "$line" ] || set -- "$@" "$line"
done <<END
${QUIETUS_PATHS:-scenarios}
END

# What this machine can do is in the log, whatever the trials say.
quietus doctor || true
code=0
quietus run "$@" || code=$?
case $code in
  0 | 1 | 3)
    [ -s "$report" ] || { printf 'quietus: exit %s, and no report\n' "$code" >&2; exit 3; }
    printf 'quietus run: exit %s; the gate judges it\n' "$code"
    ;;
  *) exit "$code" ;;
esac
