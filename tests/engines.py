"""The engines that tests run with: the native one wherever there is a compiler for it."""

import pytest

from tasks.engines.engine import choose_engine
from tasks.engines.native_library import NativeUnavailable, find_compilers

try:
    ENGINE = choose_engine("native" if find_compilers() else "auto", "CPU")
except NativeUnavailable:
    ENGINE = choose_engine("auto", "CPU")
"""What a run on this machine takes; an engine that is broken fails the tests here, and skips none."""

needs_native = pytest.mark.skipif(
    ENGINE != "native", reason="no C++ compiler, without which there is no native engine"
)

EVERY_ENGINE = ["tensorflow", pytest.param("native", marks=needs_native), "keras"]
"""With the general one, which trains the lab's network, too."""

ENGINES = ["tensorflow", pytest.param("native", marks=needs_native)]
