#!/bin/sh
# test_lab.sh SOURCE BUILD - the lesson in a real browser, on a running engine. Skipped, with what is missing, where there is no node,
# no browser, or no page in the build (`make lab` makes it). LAB_BROWSER names another browser, LAB_REQUIRED=1 makes a skip a failure.
set -u
skip() {
    echo "skipped: $1"
    [ "${LAB_REQUIRED:-0}" = 0 ] && exit 77
    exit 1
}
command -v node >/dev/null 2>&1 || skip "node was not found (Debian: nodejs)"
[ -d "$1/lab/node_modules/playwright-core" ] && [ -f "$1/lab/dist/index.html" ] || skip "the page was not built: make lab"
BROWSER=${LAB_BROWSER:-}
for name in chromium chromium-browser google-chrome; do
    [ -n "$BROWSER" ] || BROWSER=$(command -v "$name" 2>/dev/null || true)
done
[ -n "$BROWSER" ] || skip "no browser was found (Debian: chromium)"
export BROWSER
export TRINE="$2/trine"
cd "$1/lab" || exit 1
exec node --test tests/*.test.mjs
