#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fuzz.sh SECONDS FUZZER...: run each libFuzzer binary for so long. Seeds are tests/fuzz/corpus/NAME; what a run learns
# stays in build/. An input that breaks something is kept beside the fuzzer and named.
set -eu
seconds=$1
shift
# Sanitizers of older compilers die at random where the kernel spreads mappings widely (vm.mmap_rnd_bits = 32).
steady=
setarch -R true 2>/dev/null && steady="setarch -R"
failed=0
for fuzzer in "$@"; do
	name=${fuzzer##*/}
	corpus=${fuzzer%/*}/corpus/$name
	mkdir -p "$corpus"
	seeds=
	[ -d "tests/fuzz/corpus/$name" ] && seeds=tests/fuzz/corpus/$name
	if $steady "$fuzzer" -max_total_time="$seconds" -timeout=10 -artifact_prefix="$fuzzer." "$corpus" $seeds >"$fuzzer.log" 2>&1; then
		echo "$name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs, none broke it/p' "$fuzzer.log")"
	else
		tail -n 40 "$fuzzer.log"
		echo "$name: FAILED (the input is $(ls -t "$fuzzer".crash-* "$fuzzer".leak-* "$fuzzer".timeout-* "$fuzzer".oom-* 2>/dev/null | head -n 1))"
		failed=1
	fi
done
exit $failed
