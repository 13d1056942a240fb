#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh GENSCOPE: start the bundled program, show what lives in it, trace it for some seconds, stop it. Exit status: genscope's.
set -eu
genscope=$1
server=$(dirname "$0")/server.py
seconds=5

# Debian's own before whatever PATH puts first: that may be a shim or an old one.
for python in /usr/bin/python3 python3; do
	"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then echo "demo: no Python 3.11 or later here" >&2; exit 1; fi

exec {ready}< <(trap '' INT; exec "$python" "$server" </dev/null)
pid=$!
trap 'kill "$pid" 2>/dev/null || true' EXIT
trap : INT	# Ctrl-C ends genscope, which sums up and chooses the exit status
trap 'exit 143' TERM
if ! read -r -t 10 -u "$ready" _; then echo "demo: $server did not start" >&2; exit 1; fi

version=$("$python" -c 'import platform; print(platform.python_version())')
echo "An asyncio server with three clients (CPython $version) runs as process $pid: handlers, streamed rows, a slow report, a leaked generator."
echo "What is suspended in it now, and on what (its memory is read, nothing is attached): $genscope ps --tree -p $pid"
echo
sleep 0.5	# its clients connect
"$genscope" ps --tree -p "$pid"
echo
echo "Now genscope watches it from outside for $seconds seconds, every change of state a line: $genscope trace -p $pid -d ${seconds}s"
echo
status=0
"$genscope" trace -p "$pid" -d "${seconds}s" || status=$?
echo
if [ $status = 0 ]; then
	echo "Try it on a Python of yours: $genscope ps --tree -p PID             (what is suspended, and on what)"
	echo "                             $genscope trace -p PID -k coroutine    (what its coroutines do)"
	echo "and see what can be traced:  $genscope doctor -p PID    (or $genscope doctor /usr/bin/python3: no process, no root)"
fi
exit $status
