"""The work: data, model, training, lanes, figures, export and report."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras reads it at its import; a user's own is for other projects
