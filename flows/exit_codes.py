"""How the command line ends: part of the contract with those who call it."""

FAILED = 1
"""A run with failed trials or that stopped early, a step or a part of serving that failed, damage found."""

BAD_INPUT = 2
"""Input to mend, a run over its budget, or a results folder that takes nothing or does not answer."""

INTERRUPTED = 130
"""Stopped by Ctrl-C."""

TERMINATED = 143
"""Stopped by SIGTERM."""
