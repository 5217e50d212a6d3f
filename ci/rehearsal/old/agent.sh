#!/bin/sh
# Writes an answer by way of a draft, which only its last line removes: a signal keeps it from
# coming that far.
draft=${TMPDIR:-/tmp}/draft.$$
echo "half a thought" >"$draft" || exit 1
echo "writing"
echo "a whole thought" >>"$draft"
exec rm -f "$draft"
