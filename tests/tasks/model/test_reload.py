"""Saved models are loaded again in fresh processes."""

from pathlib import Path

import numpy as np
import pytest

from tasks.model.reload import FreshProcesses, ReloadFailed


def test_a_file_that_cannot_be_loaded_is_an_error_with_its_reason(tmp_path: Path):
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no model")
    with FreshProcesses(np.zeros((2, 28, 28), np.uint8)) as processes:
        processes.load(broken)
        with pytest.raises(ReloadFailed, match=r"exit code 1: OSError: Unable to"):
            processes.outputs()
