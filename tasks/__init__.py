"""The work: data, model, training, lanes, figures, export and report."""

from tasks.environment import set_environment

set_environment()
