"""Decide when a training stops and when it has converged, from its validation losses alone.

A shorter epoch budget and an early stop are prefixes of a longer training with the same seed, so a trial
needs only the number of epochs it reads.
"""

from collections.abc import Sequence

from study.fact import Fact

CONVERGENCE_PATIENCE = 3
"""Epochs without a lower validation loss after which a training counts as converged; the published
Exercise 6 stops early with the same patience."""


class StopRule(Fact):
    """The length of one trial: at most `epochs`, ended early by `patience` if it is given."""

    epochs: int
    patience: int | None = None

    def epochs_read(self, validation_losses: Sequence[float]) -> int | None:
        """Return the epochs the trial reads of a training with these losses; None while it needs more."""
        losses = validation_losses[: self.epochs]
        if self.patience is not None:
            stop = _patience_runs_out(losses, self.patience)
            if stop is not None:
                return stop
        return self.epochs if len(losses) == self.epochs else None


def needs_more(rules: Sequence[StopRule], validation_losses: Sequence[float]) -> bool:
    """Say whether any of the trials that read a training needs another epoch."""
    return any(rule.epochs_read(validation_losses) is None for rule in rules)


def converged_epoch(validation_losses: Sequence[float], patience: int = CONVERGENCE_PATIENCE) -> int | None:
    """Return the epoch (from 1) of the lowest validation loss before patience ran out, or None."""
    stop = _patience_runs_out(validation_losses, patience)
    return None if stop is None else stop - patience


def _patience_runs_out(losses: Sequence[float], patience: int) -> int | None:
    """Return the epoch after which `keras.callbacks.EarlyStopping` (no minimum change) would stop."""
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited >= patience:
            return epoch
    return None
