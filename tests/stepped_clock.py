"""A wall clock that a test can step for programs it starts."""

import shutil
import struct
import subprocess
from pathlib import Path


class SteppedClock:
    """A wall clock that can be stepped for the programs that run in its environment."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "step_clock.so", folder / "offset"
        self._file.write_bytes(struct.pack("q", 0))
        source = Path(__file__).with_name("step_clock.c")
        compiler = shutil.which("cc")
        assert compiler is not None, "a C compiler is needed, as the README says"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self._file)}

    def step(self, seconds: int) -> None:
        """Set the clock to so many seconds beside the true time."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))
