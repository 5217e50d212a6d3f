#!/bin/sh
# Runs a command whose output may hold anything, on GitHub: until it ends, no line of it is
# taken for a workflow command (`::error::`, `::add-mask::` …). Its exit code is kept.
set -eu

token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '::stop-commands::%s\n' "$token"
code=0
"$@" || code=$?
# The last line of the command may have had no end.
printf '\n::%s::\n' "$token"
exit "$code"
