#!/bin/sh
# test_openai.sh SOURCE BUILD - the official openai package against `trine serve`, where it is importable by $TRINE_PYTHON (python3).
set -eu
python=${TRINE_PYTHON:-python3}
"$python" -c "import openai" 2>/dev/null || { echo "skipped: $python has no package openai (pip install openai)"; exit 77; }
exec "$python" "$1/tests/server/openai_client.py" "$2/trine" "$1/tests/fixtures"
