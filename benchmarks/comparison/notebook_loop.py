"""The notebook loop: for every setting build the model, `model.fit`, look at the accuracy.

One process, one trial after another, TensorFlow's default threads: it uses both cores as far as TensorFlow
can. This is what the other contestants are measured against.
"""

import sys
from pathlib import Path

from benchmarks.comparison.keras_training import build_model, fit, load_images
from benchmarks.comparison.workload import Workload, write_answers


def main() -> None:
    """Train every setting of the workload named first; write the answers to the file named second."""
    workload, answers = Workload.read(Path(sys.argv[1])), Path(sys.argv[2])
    images = load_images(workload)
    write_answers(answers, [fit(build_model(setting), setting, images) for setting in workload.settings])


if __name__ == "__main__":
    main()
