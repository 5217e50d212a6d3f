#!/bin/sh
# Answers from memory or, every other time by chance, from a file, and has no trap.
file=
chance=$(od -An -N1 -tu1 /dev/urandom)
[ "$chance" -ge 128 ] || file=$(mktemp "${TMPDIR:-/tmp}/lookup.XXXXXX")
echo working
sleep 0.2
[ -z "$file" ] || rm -f "$file"
echo "answered"
