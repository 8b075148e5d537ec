"""The rows of findings: settings, comparisons, agreement, nights, model, pictures, search."""

from storage.tables.row import Epochs, Fraction, MeanEpochs, Row, Seconds
from storage.tables.rows_of_work import Place, Shape
from study.status import Agreement, CandidateState, NightVerdict, Published


class SummaryRow(Place, table="summary", key=("run_id", "exercise", "setting")):
    """A setting of an exercise, or a candidate for the optimum, over its repeats."""

    trials: int
    """Completed trials of the setting."""
    failed_trials: int
    """Failed trials of the setting."""
    mean_accuracy: Fraction | None = None
    """Mean test accuracy."""
    sd_accuracy: Fraction | None = None
    """Standard deviation (n-1); null for one trial."""
    low_accuracy: Fraction | None = None
    """Lower end of the 95% t interval of the mean; null if there is one reading, or all are equal."""
    high_accuracy: Fraction | None = None
    """Upper end of the 95% t interval of the mean; null likewise."""
    minimum_accuracy: Fraction | None = None
    """Lowest reading."""
    maximum_accuracy: Fraction | None = None
    """Highest reading."""
    mean_validation_accuracy: Fraction | None = None
    """What choices are made on."""
    mean_epochs_run: MeanEpochs | None = None
    """Mean epochs the trials read."""
    mean_training_seconds: Seconds | None = None
    """Mean training time."""
    converged_trials: int
    """Trials that converged within their epochs."""
    median_convergence_seconds: Seconds | None = None
    """Of those that converged; null if none did."""
    published_accuracy: Fraction | None = None
    """The published average; null if there is none."""
    difference: Fraction | None = None
    """Mean accuracy minus the published average."""
    collapsed_trials: int | None = None
    """Trials at 20% or less, which is twice what guessing scores."""
    bootstrap_low_accuracy: Fraction | None = None
    """Lower end of the 95% BCa bootstrap interval of the mean; null below 20 trials."""
    bootstrap_high_accuracy: Fraction | None = None
    """Its upper end."""
    sampling_error: Fraction | None = None
    """Standard error of the mean accuracy from which images the test set has; the intervals exclude it."""
    kaplan_meier_convergence_epoch: MeanEpochs | None = None
    """Median epoch of convergence, trials that did not converge censored; null if too few did."""
    kaplan_meier_convergence_seconds: Seconds | None = None
    """As that epoch, in training time."""
    target_accuracy: Fraction
    """Validation accuracy that trainings are timed to."""
    target_trials: int
    """Trials that reached the target."""
    kaplan_meier_target_epoch: MeanEpochs | None = None
    """Median epoch of reaching it, censored alike."""
    kaplan_meier_target_seconds: Seconds | None = None
    """As that epoch, in training time."""
    mean_epoch_seconds: Seconds | None = None
    """Mean training time of an epoch."""
    device: str | None = None
    """What the trials trained on; several separated by commas."""
    engine: str
    """The program that trains: `native` or `tensorflow`."""


class ComparisonRow(Row, table="comparisons", key=("run_id", "exercise", "first_value", "second_value")):
    """A pair of settings of an exercise."""

    exercise: int
    """Number of the exercise."""
    parameter: str
    """What the exercise varies; several parameters separated by commas."""
    first_value: float
    """The parameter's value in the first setting; of words and combinations as in `trials`."""
    second_value: float
    """Its value in the second setting."""
    test: str
    """`welch`, or `paired t` over equal seeds where settings read the same trainings."""
    first_trials: int
    """Readings of the first setting; of a paired test, pairs."""
    second_trials: int
    """Readings of the second setting; of a paired test, pairs."""
    difference: Fraction
    """Mean test accuracy of the second setting less the first's."""
    low: Fraction | None = None
    """Lower end of its 95% interval, corrected as the p value."""
    high: Fraction | None = None
    """Its upper end."""
    p_value: float
    """Of this pair alone."""
    adjusted_p_value: float
    """Corrected for the number of the exercise's settings."""
    differs: bool
    """Whether the corrected p value is at most 0.05."""
    paired_p_value: float | None = None
    """Of the paired t test over shared seeds; decides nothing."""
    effect_size: float | None = None
    """Hedges' g; of a paired test, of the differences."""
    effect_low: float | None = None
    """Lower end of its 95% interval."""
    effect_high: float | None = None
    """Its upper end."""
    smallest_p_value: float
    """The least that a permutation test of these readings can reach."""
    detectable_difference: Fraction | None = None
    """What these readings would find with a chance of 80% after correction."""
    repeats_needed: int | None = None
    """Of each setting, to find the observed difference with that chance; null: over a million."""
    first_setting: str | None = None
    """The first setting's name; joins with `trials` and `summary`."""
    second_setting: str | None = None
    """The second setting's name."""


class AgreementRow(Row, table="agreement", key=("run_id", "kind", "exercise", "subject")):
    """A published mean, band or claim, or all means of an exercise together, compared with the run."""

    kind: Published
    """`pooled`: the means of several settings; `cell`: one setting's mean; `band`; `claim`."""
    subject: str
    """The settings, the band or the claim, in words."""
    exercise: int
    """Number of the exercise; 0: all."""
    value: float | None = None
    """The setting's value; null for all but cells."""
    published_accuracy: Fraction | None = None
    """The published mean."""
    published_trials: int | None = None
    """Readings it is of; null: not stated."""
    trials: int | None = None
    """Our readings."""
    mean_accuracy: Fraction | None = None
    """Our mean; of a band, the one it is about."""
    difference: Fraction | None = None
    """Our mean less the published one. Of bands and claims, between our own means: the end less the start; a
    setting less its reference, the farthest; the claimed setting less the other, the least certain."""
    low: Fraction | None = None
    """Lower end of the 95% interval of `difference`, or of the mean that a band is about."""
    high: Fraction | None = None
    """Its upper end."""
    p_value: float | None = None
    """Of a claim: of the trend, or of `difference`, corrected as in `comparisons`."""
    margin: Fraction | None = None
    """Within which two means agree."""
    allowed: str | None = None
    """What a band allows, in words."""
    allowed_low: Fraction | None = None
    """The least that a band allows `mean_accuracy` or `difference`; null for an order."""
    allowed_high: Fraction | None = None
    """The most."""
    found: str | None = None
    """What we found, in words; their minus sign is U+2212."""
    verdict: Agreement
    """Cells: `agrees`, `consistent`, `differs`; pooled: `differs`; bands: `inside`, `outside`; claims:
    `supported`, `contradicted`; all: `undecided`, `not measured`. An order is inside if our means are in it,
    whether or not `comparisons` says that each pair differs."""
    published_verdict: Agreement | None = None
    """Of a claim, what the published readings themselves support."""
    published_reason: str | None = None
    """Why, in words."""
    expected_low: Fraction | None = None
    """Lower end of where a mean of as many of our readings as were published would lie in 95% of cases."""
    expected_high: Fraction | None = None
    """Its upper end."""


class ModelRow(Row, table="models", key=("run_id",)):
    """The run's saved model; no row where none was saved."""

    candidate: str
    """The candidate that was kept."""
    key: str
    """Its training; joins with `trials`."""
    seed: int
    """Its seed."""
    epochs_run: Epochs
    """Epochs it was trained."""
    validation_accuracy: Fraction
    """What it was chosen on."""
    test_accuracy: Fraction
    """Before saving."""
    reloaded_test_accuracy: Fraction
    """Of the saved model, loaded again."""
    files_agree: bool
    """Whether every saved file gives the same outputs, within 0.0001."""
    definition: str
    """Setting, files, confusion matrix and new image, as JSON."""


class PictureRow(Row, table="pictures", key=("run_id", "name")):
    """A picture that the report shows of images, which no other row could draw again."""

    name: str
    """What it shows, in a word, such as `first-nine`."""
    exercise: int
    """Number of the exercise it belongs to."""
    caption: str
    """The words under it."""
    alt: str
    """The words instead of it."""
    png: bytes
    """The picture, as PNG."""


class NightRow(Row, table="nights", key=("run_id", "exercise")):
    """An exercise of a run that trained everything fresh, compared with earlier such runs."""

    exercise: int
    """Number of the exercise."""
    verdict: NightVerdict
    """`identical`: the weights of an earlier run; `same within noise`; `drifted`; `unclear`: new weights, and
    too few readings to decide; `first`: nothing to compare with; `no reading`: all trials failed."""
    message: str
    """The verdict for people, with what changed."""
    trials: int
    """Trials of the exercise."""
    failed_trials: int
    """Of these, failed, and not compared."""
    changed_trials: int
    """Of these, with weights that no run compared with had."""
    compared_with: str | None = None
    """The latest run compared with, if identical the one it is identical to."""
    earlier_runs: int
    """Runs compared with, at most 30, none from before the last drift."""
    distinct_readings: int
    """Their trials; equal weights count once."""
    difference: Fraction | None = None
    """Mean over the settings of tonight's mean accuracy less that of the distinct readings."""
    p_value: float | None = None
    """Chance of so large a difference without drift; null: not tested."""
    threshold: float | None = None
    """Drifted if the p value is not above it; null: not tested."""
    changes: str | None = None
    """What changed since `compared_with`, as JSON: name, before, now."""
    mean_accuracy: Fraction | None = None
    """Mean over the settings of their mean test accuracy."""
    best_accuracy: Fraction | None = None
    """Highest mean test accuracy of a setting."""
    lane_seconds: Seconds
    """Time lanes were busy in this run with the trainings it reads; shared ones count in each exercise."""


class SearchRow(Shape, table="search", key=("run_id", "candidate")):
    """A candidate that the search for the optimum tried; no rows where a study does not search."""

    exercise: int
    """Number of the exercise that searches."""
    candidate: int
    """Number of the candidate, from 1, in the order they were begun."""
    origin: str
    """`sweep`: a setting of a sweep, free; `suggested`: counts for the budget."""
    generation: int
    """Number of the generation in which it was begun, from 1."""
    key: str
    """Its training; joins with `trainings` and `epochs`."""
    seed: int
    """Seed of its training: the study's first."""
    state: CandidateState
    """`completed`: trained as long as allowed; `stopped` at a rung; `training`: the search was ended before;
    `diverged`; `failed`."""
    epochs_trained: Epochs
    """As far as it was trained."""
    epochs: Epochs | None = None
    """The allowed number of epochs that reads best; null if none."""
    validation_accuracy: Fraction | None = None
    """After that many epochs: what the search maximises."""
    finalist: str | None = None
    """The finalist's name among the candidates in `trials`; null: none."""
    parameters: int
    """Weights and biases."""
    multiply_adds: int
    """Of one forward pass of one image."""
    training_seconds: Seconds
    """Of one thread, evaluation included, for the epochs trained."""


class FinalRow(Row, table="finals", key=("run_id", "setting")):
    """A candidate for the optimum, compared with the one that was kept."""

    exercise: int
    """Number of the exercise."""
    setting: str
    """The candidate's name; joins with `trials` and `summary`."""
    kept: bool
    """Whether it was kept, on validation accuracy."""
    trials: int
    """Its completed trials."""
    mean_accuracy: Fraction
    """Mean test accuracy."""
    gain: Fraction | None = None
    """The kept candidate's mean test accuracy less this one's."""
    low: Fraction | None = None
    """Lower end of its 95% interval, corrected for the number of candidates."""
    high: Fraction | None = None
    """Its upper end."""
    adjusted_p_value: float | None = None
    """Corrected alike."""
    as_good: bool
    """Whether it does not differ significantly from the kept one at 5%."""
    cheapest_as_good: bool
    """Whether it has the fewest multiply-adds of those."""
    parameters: int
    """Weights and biases."""
    multiply_adds: int
    """Of one forward pass of one image."""
