#!/bin/sh
# Puts `quietus` where the next steps find it.
#
#   QUIETUS_INSTALL  empty: it is on PATH already; a file: that program;
#                    cargo:DIR: built from the sources in DIR; pip:WHAT: installed by pip
#   QUIETUS_VERSION  if set, the version that it must be
#   QUIETUS_HOME     where it is put (default: .quietus-bin)
set -eu

home=${QUIETUS_HOME:-.quietus-bin}
how=${QUIETUS_INSTALL:-}
wanted=${QUIETUS_VERSION:-}
fail() { printf 'quietus: %s\n' "$1" >&2; exit 2; }

mkdir -p "$home/bin"
home=$(cd "$home" && pwd)
PATH="$home/bin:$PATH"
version() { quietus --version 2>/dev/null | sed 's/^quietus //'; }

if [ -n "$wanted" ] && [ -x "$home/bin/quietus" ] && [ "$(version)" = "$wanted" ]; then
  : # kept by a cache
else
  case $how in
    '') ;;
    cargo:*) cargo install --locked --force --root "$home" --path "${how#cargo:}/harness/cli" ;;
    pip:*)
      python3 -m venv "$home/venv"
      "$home/venv/bin/pip" install --quiet "${how#pip:}"
      ln -sf "$home/venv/bin/quietus" "$home/bin/quietus"
      ;;
    *)
      [ -f "$how" ] || fail "there is no program $how"
      cp "$how" "$home/bin/quietus"
      chmod 755 "$home/bin/quietus"
      ;;
  esac
fi

command -v quietus >/dev/null 2>&1 || fail "it is not on PATH; say by QUIETUS_INSTALL how to get it"
if [ -n "$wanted" ] && [ "$(version)" != "$wanted" ]; then
  fail "version $wanted is wanted, this is $(version)"
fi
# Later steps of a job on GitHub have the PATH of this file.
[ -z "${GITHUB_PATH:-}" ] || printf '%s\n' "$home/bin" >>"$GITHUB_PATH"
quietus --version
