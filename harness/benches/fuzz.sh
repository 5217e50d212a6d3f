#!/usr/bin/env bash
# What trials at random cost: for an agent in each of four languages, how many there are in a
# second and core, and how much of that time is the agent's own, from its start until nothing
# of it is left. The agents are the right twins of races, so that nothing is confirmed or made
# small; controls are left out by taking the difference of a long run and a short one, which
# begins with the same trials. Prints a table. Needs quietus, jq, cc, and of the interpreters
# those it can find.
#
#   cargo build --release -p quietus-cli
#   harness/benches/fuzz.sh target/release/quietus
set -eu -o pipefail
quietus=$(realpath "${1:?usage: fuzz.sh QUIETUS}")
races=$(realpath "$(dirname "$0")/../../fixtures/races")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cc -O1 -pthread -o locked "$races/locked_handler_good.c"
cores=$(nproc)
jobs=$((2 * cores))
short=50
long=350

# Seconds of a run of $1 trials, and those of its trials, one after the other.
run() {
  local trials=$1 begin end
  shift
  begin=$(date +%s.%N)
  "$quietus" fuzz --trials "$trials" --seed 1 --uniform --no-shrink --no-corpus --quiet -j "$jobs" --grace 1s \
    --format json --output "report.$trials" -- "$@" > /dev/null 2>&1 || true
  end=$(date +%s.%N)
  jq -r --argjson whole "$(jq -n "$end - $begin")" '"\($whole) \([.runs[].trials[].duration_us] | add / 1e6)"' "report.$trials"
}

printf '%s cores, %s jobs, trials %s to %s\n\n' "$cores" "$jobs" "$short" "$long"
printf '| agent | plain, ms | trials/s | per core | of it the agent’s own |\n|---|---:|---:|---:|---:|\n'
for language in C sh Python Node; do
  case $language in
    C) cmd=(./locked) ;;
    sh) cmd=(sh "$races/early_signal_good.sh") ;;
    # Not a script that looks for it first.
    Python) cmd=("$(python3 -c 'import sys; print(sys.executable)' || echo none)" "$races/second_term_good.py") ;;
    Node) cmd=(node "$races/wrong_order_good.js") ;;
  esac
  if ! command -v "${cmd[0]}" > /dev/null; then
    echo "| $language | not installed | | | |"
    continue
  fi
  begin=$(date +%s.%N)
  for _ in 1 2 3 4 5; do "${cmd[@]}" > /dev/null 2>&1; done
  plain=$(jq -n "($(date +%s.%N) - $begin) * 200")
  read -r few own_few <<< "$(run "$short" "${cmd[@]}")"
  read -r many own_many <<< "$(run "$long" "${cmd[@]}")"
  jq -rn --arg language "$language" --argjson plain "$plain" --argjson time "$(jq -n "$many - $few")" \
    --argjson own "$(jq -n "$own_many - $own_few")" --argjson trials $((long - short)) --argjson cores "$cores" \
    --argjson jobs "$jobs" \
    '"| \($language) | \($plain | round) | \($trials / $time * 10 | round / 10) | \($trials / $time / $cores * 10 | round / 10) | \($own / $time / $jobs * 100 | round) % |"'
done
