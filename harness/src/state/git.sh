# What a repository holds, as git tells it, in parts.
unset $(git rev-parse --local-env-vars 2>/dev/null)
export GIT_OPTIONAL_LOCKS=0 LC_ALL=C
[ -e "$1" ] || { echo "## nothing"; exit 0; }
cd -- "$1" || exit 3
# A repository further up is another one.
export GIT_CEILING_DIRECTORIES="$(cd .. && pwd -P)"
command -v git >/dev/null || { echo "git is not installed"; exit 3; }
common=$(git rev-parse --git-common-dir 2>&1) || {
  case $common in *"not a git repository"*) echo "## nothing"; exit 0 ;; *) printf '%s\n' "$common"; exit 3 ;; esac
}
part() { name=$1; shift; printf '## %s\n' "$name"; "$@" 2>&1; printf '## = %s\n' $?; }
files() { (cd "$common" && find . "$@" | sed 's|^\./||' | sort); }
printf '## where\n%s\n## = 0\n' "$(cd "$common" && pwd -P)"
part branches git for-each-ref --format='%(refname) %(objecttype) %(tree)%(contents:subject)'
part commits sh -c 'for ref in $(git for-each-ref --format="%(refname)"); do printf "%s %s\n" "$ref" "$(git rev-list --count "$ref" 2>&1)"; done'
part head git rev-parse --abbrev-ref HEAD
part status git status --porcelain --untracked-files=all
part locks files -name '*.lock' -not -path './lfs/*'
part unfinished files \( -name MERGE_HEAD -o -name CHERRY_PICK_HEAD -o -name REVERT_HEAD -o -name rebase-merge -o -name rebase-apply -o -name BISECT_LOG -o -name sequencer \) -not -path './refs/*' -not -path './logs/*'
part temporary files \( -path './objects/*/tmp_obj_*' -o -path './objects/pack/tmp_*' -o -path './objects/pack/.tmp-*' \)
part worktrees git worktree list --porcelain
part stale git worktree prune --dry-run --verbose --expire=now
part check git fsck --no-dangling --no-progress
