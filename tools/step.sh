#!/bin/sh
# step.sh NAME COMMAND...: runs the command, and says its name and how long it took.
name=$1
shift
started=$(date +%s)
"$@"
status=$?
took=$(($(date +%s) - started))
if [ "$status" -eq 0 ]; then
    echo "$name: fine, $took s"
else
    echo "$name: FAILED, $took s" >&2
fi
exit "$status"
