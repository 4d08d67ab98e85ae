"""What the tests share. Run them with `make test`, or `.venv/bin/python -m pytest tests` for the tests alone."""
import gc, os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# before torch and numba are imported
os.environ |= dict(line.split("=") for line in (ROOT/".ci/env").read_text().split())

import pytest

# to compile makes many objects, few of them in circles: a fifth of it went into looking for those
gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items):
    "Tests that fork come first: to copy a process that holds thousands of compiled loops takes longer than the test"
    items.sort(key=lambda item: item.path.name != "test_folders.py")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    "One thread in torch as everywhere: faster on a busy machine, and the same digits on every machine"
    import torch
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared():
    "The folder of reference data beside the checkout; a test that needs it is skipped where it is not"
    folder = ROOT.parent/"shared"
    if not folder.is_dir(): pytest.skip(f"no reference data at {folder}")
    return folder


def pytest_collection_finish(): gc.freeze()  # what was imported stays until the end
