"""What the process has done already from which attempts are forked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from guards import prepared

SERVER = """
import json, sys
from pathlib import Path
from nbflow.executors import attemptserver
from nbflow.notebooks.folder import AttemptFolder

attemptserver.get_up()
before = {*sys.modules}
from nbflow.notebooks.runner import run

run(AttemptFolder(Path(sys.argv[1])))
print(json.dumps(sorted({*sys.modules} - before)))
"""


def test_an_attempt_imports_nothing_after_the_rehearsal(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    done = subprocess.run([sys.executable, "-c", SERVER, str(folder.path)], capture_output=True, text=True, check=True)
    outcome = folder.outcome()
    assert outcome is not None
    assert outcome.state == "success"
    assert json.loads(done.stdout) == []
