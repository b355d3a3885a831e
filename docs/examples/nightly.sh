#!/bin/sh
# A nightly run: back up, check, keep what is worth keeping. Place and password come from the environment:
#   HOLDFAST_REPOSITORY=file:///srv/backup HOLDFAST_PASSWORD_FILE=/etc/backup.password nightly.sh /etc /home
set -eu

# 3 says that a snapshot was taken in which some entries are missing: everything else goes on, and the run
# ends with it.
status=0
holdfast repo backup --quiet --init --exclude-caches --tag nightly "$@" || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"

holdfast repo check --quiet
holdfast repo forget --quiet --tag nightly --keep-daily 7 --keep-weekly 8 --keep-monthly 12
exit "$status"
