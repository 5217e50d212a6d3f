#!/usr/bin/env bash
# What a sweep costs: for real programs, the trials and the time of a sweep by
# windows, of one after every recorded system call, and of a loop over strace that
# injects the signal at each of the same system calls, which seals and audits nothing.
# Prints a table. Needs quietus, strace, and of the programs those it can find.
#
#   cargo build --release -p quietus-cli
#   harness/benches/sweep.sh target/release/quietus [PROGRAM...]
set -u -o pipefail
quietus=$(realpath "${1:?usage: sweep.sh QUIETUS [PROGRAM...]}") || exit 1
shift
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

names=(git sqlite3 sed gzip sort make python node)
[ $# -eq 0 ] || names=("$@")

# Makes the directory of a program, and sets `cmd`.
make_place() {
  case $1 in
    git) git init -q . && git config user.email a@b.c && git config user.name n && echo x > f && git add f
         cmd=(git commit -qm x) ;;
    sqlite3) cmd=(sqlite3 t.db 'create table t(x); insert into t values(1);') ;;
    sed) seq 1000 > n.txt; cmd=(sed -i s/1/2/ n.txt) ;;
    gzip) seq 200000 > n.txt; cmd=(gzip n.txt) ;;
    sort) seq 200000 > n.txt; cmd=(sort -o n.txt n.txt) ;;
    make) seq 200000 > n.txt; printf 'out: n.txt\n\tsort -n n.txt > out.tmp\n\tmv out.tmp out\n' > Makefile; cmd=(make) ;;
    python) seq 1000 > n.txt; cat > agent.py <<'END'
import json, os, shutil, sqlite3, subprocess, tempfile
d = tempfile.mkdtemp(prefix="agent-")
try:
    db = sqlite3.connect("state.db")
    db.execute("create table t(x)")
    db.commit()
    subprocess.run(["sort", "-o", os.path.join(d, "sorted"), "n.txt"], check=True)
    with open("result.json", "w") as f:
        json.dump({"ok": True}, f)
finally:
    shutil.rmtree(d)
END
         # Not a script that looks for it first.
         cmd=("$(python3 -c 'import sys; print(sys.executable)' || echo python3)" agent.py) ;;
    node) cat > agent.js <<'END'
const fs = require('fs'), os = require('os'), path = require('path');
const d = fs.mkdtempSync(path.join(os.tmpdir(), 'agent-'));
fs.writeFileSync(path.join(d, 'x'), '1');
require('child_process').execFileSync('sleep', ['0.1']);
fs.writeFileSync('out.json', '{}');
fs.rmSync(d, { recursive: true });
END
          cmd=(node agent.js) ;;
    *) echo "no program $1" >&2; return 1 ;;
  esac
}

# What Quietus records, futex excepted, as in --exhaustive.
calls=open,openat,openat2,creat,close,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat
calls+=,renameat2,unlink,unlinkat,rmdir,truncate,ftruncate,write,writev,pwrite64,pwritev,pwritev2,sendfile
calls+=,copy_file_range,fallocate,flock,fcntl,ioctl,fork,vfork,clone,clone3,execve,execveat,wait4,waitid,setsid
calls+=,setpgid,bind,listen,connect,shmget,shmctl,semget,semctl,msgget,msgctl,mq_open,mq_unlink,rt_sigaction
calls+=,rt_sigprocmask,read,readv,recvfrom,recvmsg,accept,accept4,poll,ppoll,select,pselect6,epoll_wait,epoll_pwait
calls+=,epoll_pwait2,nanosleep,clock_nanosleep,pause,rt_sigsuspend,rt_sigtimedwait,semop,semtimedop,msgrcv,msgsnd

seconds() { awk "BEGIN { printf \"%.2f\", ($2 - $1) / 1e9 }"; }
now() { date +%s%N; }
trials() { grep -o '"point":' "$1" | wc -l; }
found() { grep -o '"fingerprint": *"[^"]*"' "$1" | sort -u; }
# How many findings both reports have, or how many each has alone.
compared() {
  found "$1" >"$work/one"; found "$2" >"$work/other"
  if cmp -s "$work/one" "$work/other"; then echo "$(wc -l <"$work/one"), the same"
  else echo "$(comm -12 "$work/one" "$work/other" | wc -l), and $(comm -23 "$work/one" "$work/other" | wc -l) / $(comm -13 "$work/one" "$work/other" | wc -l) alone"; fi
}

sweep() { # report flags...
  local report=$1; shift
  "$quietus" sweep --quiet --confirm 0 --send "$signal" --format json --output "$report" "$@" -- "${cmd[@]}"
  [ $? -le 1 ]
}

# The loop: each call of each kind, in a fresh copy of the directory.
strace_loop() {
  local line name count nth
  runs=0
  rm -rf "$work/copy" && cp -a "$work/$program" "$work/copy" && cd "$work/copy" || return 1
  strace -f --seccomp-bpf -qq -e trace="$calls" -e signal=none -o "$work/log" "${cmd[@]}" >/dev/null 2>&1
  while read -r count name; do
    for nth in $(seq "$count"); do
      cd "$work" && rm -rf copy && cp -a "$program" copy && cd copy || return 1
      timeout -s KILL 5 strace -f --seccomp-bpf -qq -e trace="$name" -e inject="$name:signal=$signal:when=$nth" \
        -o /dev/null "${cmd[@]}" >/dev/null 2>&1 </dev/null
      runs=$((runs + 1))
    done
  done < <(grep -oE '^[0-9]+ +[a-z0-9_]+\(' "$work/log" | awk '{ sub(/\(/, "", $2); print $2 }' | sort | uniq -c)
}

echo "| program | signal | windows: trials | time | every call: trials | time | fewer trials | strace loop: runs | time | faster than it | found |"
echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
for program in "${names[@]}"; do
  mkdir "$work/$program" && cd "$work/$program" || exit 1
  make_place "$program" || exit 1
  command -v "${cmd[0]}" >/dev/null || { echo "skipped: $program: no ${cmd[0]}" >&2; continue; }
  for signal in TERM KILL; do
    cd "$work/$program" || exit 1
    a=$(now); sweep "$work/windows.json" || exit 1; b=$(now)
    sweep "$work/all.json" --exhaustive || exit 1; c=$(now)
    (strace_loop; echo "$runs" > "$work/runs") 2>/dev/null; d=$(now)
    windows=$(trials "$work/windows.json"); all=$(trials "$work/all.json"); runs=$(cat "$work/runs")
    echo "| $program | $signal | $windows | $(seconds "$a" "$b") s | $all | $(seconds "$b" "$c") s |" \
      "$(awk "BEGIN { printf \"%.1f\", $all / $windows }") | $runs | $(seconds "$c" "$d") s |" \
      "$(awk "BEGIN { printf \"%.1f\", ($d - $c) / ($b - $a) }") | $(compared "$work/windows.json" "$work/all.json") |"
  done
done
