#!/bin/sh
# Writes the summary as a comment on a pull request, or renews the one that is there.
#
#   GH_TOKEN, GH_REPO  as for gh(1); the token needs `pull-requests: write` and no more
#   QUIETUS_PR         the number of the pull request
#   QUIETUS_OUT        where summary.md lies (default: quietus-reports)
set -eu

out=${QUIETUS_OUT:-quietus-reports}
pull=${QUIETUS_PR:-}
case $pull in '' | *[!0-9]*) echo "quietus: there is no pull request to comment on" >&2; exit 2 ;; esac
[ -s "$out/summary.md" ] || { echo "quietus: there is no summary to comment with" >&2; exit 3; }

body=$(mktemp)
trap 'rm -f "$body"' EXIT
printf '<!-- quietus -->\n' >"$body"
# A comment may have 65,536 characters.
if [ "$(wc -c <"$out/summary.md")" -gt 60000 ]; then
  head -c 60000 "$out/summary.md" | sed '$d' >>"$body"
  printf '\n\nThe rest is in the artefact quietus-report.\n' >>"$body"
else
  cat "$out/summary.md" >>"$body"
fi

own='.[] | select(.user.login == "github-actions[bot]" and (.body | startswith("<!-- quietus -->"))) | .id'
comment=$(gh api --paginate "repos/$GH_REPO/issues/$pull/comments" --jq "$own" | sed -n 1p)
if [ -n "$comment" ]; then
  gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$comment" -F "body=@$body"
else
  gh api --silent --method POST "repos/$GH_REPO/issues/$pull/comments" -F "body=@$body"
fi
