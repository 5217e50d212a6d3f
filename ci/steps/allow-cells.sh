#!/bin/sh
# Lets an ordinary user have cells on a runner hosted by GitHub.
#
# Ubuntu 24.04 refuses namespaces to programs without an AppArmor profile
# (github.com/actions/runner-images/issues/10443). Such a runner is thrown away
# after the job, so the setting is changed there, and on no other machine.
set -eu

setting=${QUIETUS_USERNS_SETTING:-/proc/sys/kernel/apparmor_restrict_unprivileged_userns}
if [ "${RUNNER_ENVIRONMENT:-}" != github-hosted ]; then
  echo "not a hosted runner: nothing is changed; quietus doctor says what this machine allows"
elif [ ! -r "$setting" ] || [ "$(cat "$setting")" = 0 ]; then
  echo "user namespaces are not restricted here"
elif sudo -n sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0; then
  echo "user namespaces are allowed for this job"
else
  echo "user namespaces stay restricted: the guarantee will be portable"
fi
