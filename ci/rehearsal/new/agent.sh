#!/bin/sh
# Writes an answer by way of a draft, which is removed however the agent is stopped; and, new in
# this change, keeps others out meanwhile by a lock, which it forgets when it is stopped.
stopped=
trap 'stopped=1' TERM
set -C
echo $$ >agent.lock || exit 1
draft=${TMPDIR:-/tmp}/draft.$$
echo "half a thought" >"$draft" || exit 1
echo "writing"
[ -n "$stopped" ] || echo "a whole thought" >>"$draft"
trap '' TERM # the cleanup is not disturbed, nor is rm
[ -z "$stopped" ] || exec rm -f "$draft"
exec rm -f "$draft" agent.lock
