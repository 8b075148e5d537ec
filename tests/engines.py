"""The engines that tests run with: the native one wherever it can be used."""

import pytest

from tasks.choose_engine import choose_engine

ENGINE = choose_engine("auto", "CPU")
"""What a run on this machine takes."""

needs_native = pytest.mark.skipif(
    ENGINE != "native", reason="the native engine cannot be used on this machine"
)

ENGINES = ["tensorflow", pytest.param("native", marks=needs_native)]
