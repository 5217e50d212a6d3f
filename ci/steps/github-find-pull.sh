#!/bin/sh
# Finds the open pull request of a workflow run of a fork, and prints its number.
#
# Neither the event nor an artefact says it: the event leaves the list empty for forks, and
# an artefact says what its maker likes. What names it here comes from GitHub alone.
#
#   GH_TOKEN, GH_REPO          as for gh(1)
#   HEAD_OWNER, HEAD_BRANCH, HEAD_SHA   of the run
set -eu

same='.[] | select(.head.sha == env.HEAD_SHA) | .number'
gh api --method GET "repos/$GH_REPO/pulls" -f state=open -f "head=$HEAD_OWNER:$HEAD_BRANCH" --jq "$same" | sed -n 1p
