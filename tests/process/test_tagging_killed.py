"""Tags are written and undone by a process that is killed at random moments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.processes import PATIENCE

N_KILLS = 200


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_every_file_is_old_or_new_and_can_be_restored(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # a busy disk would be slow, and only a process is killed
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "support.killed_writes", folder, str(N_KILLS)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["kills"] == N_KILLS
    assert seen["some new"] > N_KILLS / 10  # so it was killed in the middle of a run
    assert seen["temporary files"] > N_KILLS / 50  # and of a file
