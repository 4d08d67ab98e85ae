"""Ready environments beyond bandits. `environments_script.py` runs without a compiler, which is quicker for few
trials; the notebook compiles them."""
import os, subprocess, sys
from pathlib import Path


def test_environments_in_plain_python():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "environments_script.py"],
        cwd=here,
        env=os.environ | dict(SPICE_RL_COMPILE="0"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
