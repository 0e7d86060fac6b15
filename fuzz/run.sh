#!/bin/sh
# Runs every fuzz target for a number of seconds each (60 by default), or only the targets named after it:
#   fuzz/run.sh 300 bundle protocol
# Stops at the first crash; its input lies in fuzz/artifacts/TARGET/. Needs a nightly toolchain and cargo-fuzz
# (`rustup toolchain install nightly`, `cargo install cargo-fuzz`).
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- admission bundle protocol sql_type job expression state

# Seeds: small files kept here, and files of the crates' own tests where the bytes are the same.
seeds() {
    case $1 in
        job) echo ../tests/fixtures/ir ;;
        *) echo "seeds/$1" ;;
    esac
}

# Inputs larger than that find nothing that smaller ones do not.
max_len() {
    case $1 in
        admission | bundle) echo 32768 ;;
        *) echo 4096 ;;
    esac
}

for target in "$@"; do
    mkdir -p "corpus/$target"
    echo "== $target, $seconds s"
    # Word splitting of the seed folders is wanted. 10 s on one input is a hang.
    # shellcheck disable=SC2046
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" $(seeds "$target") -- \
        -max_total_time="$seconds" -max_len="$(max_len "$target")" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1
done
