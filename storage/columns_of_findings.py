"""The columns of what was found: settings, comparisons, agreement, nights, model and pictures."""

from storage.column import BOOL, BYTES, ENGINE, FLOAT, INT, PLACE, RUN_ID, STUDY_LATER, TEXT, Column, added

SUMMARY = (
    RUN_ID,
    *PLACE,
    Column("trials", INT, "", "completed trials of the setting"),
    Column("failed_trials", INT, "", "failed trials of the setting"),
    Column("mean_accuracy", FLOAT, "fraction", "mean test accuracy", True),
    Column("sd_accuracy", FLOAT, "fraction", "standard deviation (n-1); null for one trial", True),
    Column("low_accuracy", FLOAT, "fraction", "lower end of the 95% t interval of the mean", True),
    Column("high_accuracy", FLOAT, "fraction", "upper end of the 95% t interval of the mean", True),
    Column("minimum_accuracy", FLOAT, "fraction", "lowest reading", True),
    Column("maximum_accuracy", FLOAT, "fraction", "highest reading", True),
    Column("mean_validation_accuracy", FLOAT, "fraction", "what choices are made on", True),
    Column("mean_epochs_run", FLOAT, "epochs", "mean epochs the trials read", True),
    Column("mean_training_seconds", FLOAT, "s", "mean training time", True),
    Column("converged_trials", INT, "", "trials that converged within their epochs"),
    Column("median_convergence_seconds", FLOAT, "s", "of those that converged; null if none did", True),
    Column("published_accuracy", FLOAT, "fraction", "the published average; null if there is none", True),
    Column("difference", FLOAT, "fraction", "mean accuracy minus the published average", True),
    *added(
        "1.5.0",
        Column(
            "collapsed_trials", INT, "", "trials at 20% or less, which is twice what guessing scores", True
        ),
        Column(
            "bootstrap_low_accuracy",
            FLOAT,
            "fraction",
            "lower end of the 95% BCa bootstrap interval of the mean; null below 20 trials",
            True,
        ),
        Column("bootstrap_high_accuracy", FLOAT, "fraction", "its upper end", True),
        Column(
            "sampling_error",
            FLOAT,
            "fraction",
            "standard error of the mean accuracy from which images the test set has; the intervals leave it "
            "out",
            True,
        ),
        Column(
            "kaplan_meier_convergence_epoch",
            FLOAT,
            "epochs",
            "median epoch of convergence, trials that did not converge censored; null if too few did",
            True,
        ),
        Column("kaplan_meier_convergence_seconds", FLOAT, "s", "as that epoch, in training time", True),
        Column(
            "target_accuracy", FLOAT, "fraction", "validation accuracy that the study times; null: none", True
        ),
        Column("target_trials", INT, "", "trials that reached the target", True),
        Column(
            "kaplan_meier_target_epoch", FLOAT, "epochs", "median epoch of reaching it, censored alike", True
        ),
        Column("kaplan_meier_target_seconds", FLOAT, "s", "as that epoch, in training time", True),
        Column("mean_epoch_seconds", FLOAT, "s", "mean training time of an epoch", True),
        Column("device", TEXT, "", "what the trials trained on; several separated by commas", True),
        ENGINE,
    ),
)

COMPARISONS = (
    RUN_ID,
    Column("study", TEXT, "", "name of the study"),
    Column("exercise", INT, "", "number of the exercise"),
    Column("parameter", TEXT, "", "what the exercise varies"),
    Column("first_value", FLOAT, "", "the parameter's value in the first setting"),
    Column("second_value", FLOAT, "", "its value in the second setting"),
    Column(
        "test", TEXT, "", "`welch`, or `paired t` over equal seeds where settings read the same trainings"
    ),
    Column("first_trials", INT, "", "readings of the first setting; of a paired test, pairs"),
    Column("second_trials", INT, "", "readings of the second setting; of a paired test, pairs"),
    Column("difference", FLOAT, "fraction", "mean test accuracy of the second setting less the first's"),
    Column("low", FLOAT, "fraction", "lower end of its 95% interval, simultaneous for all pairs", True),
    Column("high", FLOAT, "fraction", "its upper end", True),
    Column("p_value", FLOAT, "", "of this pair alone"),
    Column("adjusted_p_value", FLOAT, "", "corrected for all pairs of the exercise by Holm"),
    Column("differs", BOOL, "", "whether the corrected p value is at most 0.05"),
    Column("paired_p_value", FLOAT, "", "of the paired t test over shared seeds; decides nothing", True),
    Column("effect_size", FLOAT, "", "Hedges' g; of a paired test, of the differences", True),
    Column("effect_low", FLOAT, "", "lower end of its 95% interval", True),
    Column("effect_high", FLOAT, "", "its upper end", True),
    Column("smallest_p_value", FLOAT, "", "the least that a permutation test of as many readings can reach"),
    Column(
        "detectable_difference",
        FLOAT,
        "fraction",
        "what these readings would find with a chance of 80% after correction",
        True,
    ),
    Column(
        "repeats_needed",
        INT,
        "",
        "of each setting, to find the observed difference with that chance; null: over a million",
        True,
    ),
)

AGREEMENT = (
    RUN_ID,
    Column("study", TEXT, "", "name of the study"),
    Column("kind", TEXT, "", "`cell`: one setting's mean; `band`; `claim`"),
    Column("subject", TEXT, "", "the setting, the band or the claim, in words"),
    Column("exercise", INT, "", "number of the exercise"),
    Column("value", FLOAT, "", "the setting's value; null for bands and claims", True),
    Column("published_accuracy", FLOAT, "fraction", "the published mean", True),
    Column("published_trials", INT, "", "readings it is of; null: not stated", True),
    Column("trials", INT, "", "our readings", True),
    Column("mean_accuracy", FLOAT, "fraction", "our mean", True),
    Column("difference", FLOAT, "fraction", "our mean less the published one", True),
    Column("low", FLOAT, "fraction", "lower end of the difference's 95% interval", True),
    Column("high", FLOAT, "fraction", "its upper end", True),
    Column("margin", FLOAT, "fraction", "within which two means agree", True),
    Column("allowed", TEXT, "", "what a band allows", True),
    Column("found", TEXT, "", "what we found, in words", True),
    Column(
        "verdict",
        TEXT,
        "",
        "cells: `agrees`, `differs`; bands: `inside`, `outside`; claims: `supported`, `contradicted`; all: "
        "`cannot tell`, `not measured`",
    ),
    Column("published_verdict", TEXT, "", "of a claim, what the published readings themselves bear", True),
    Column("published_reason", TEXT, "", "why, in words", True),
)

MODELS = (
    RUN_ID,
    Column("study", TEXT, "", "name of the study"),
    Column("candidate", TEXT, "", "the candidate that was kept"),
    Column("key", TEXT, "", "its training; joins with `trials`"),
    Column("seed", INT, "", "its seed"),
    Column("epochs_run", INT, "epochs", "epochs it was trained"),
    Column("validation_accuracy", FLOAT, "fraction", "what it was chosen on"),
    Column("test_accuracy", FLOAT, "fraction", "before saving"),
    Column("reloaded_test_accuracy", FLOAT, "fraction", "of the saved model, loaded again"),
    Column("files_agree", BOOL, "", "whether every saved file gives the same outputs, within 0.0001"),
    Column("definition", TEXT, "", "setting, files, confusion matrix and new image, as JSON"),
)

PICTURES = (
    RUN_ID,
    Column("name", TEXT, "", "what it shows, in a word, such as `first-nine`"),
    Column("exercise", INT, "", "number of the exercise it belongs to"),
    Column("caption", TEXT, "", "the words under it"),
    Column("alt", TEXT, "", "the words instead of it"),
    Column("png", BYTES, "", "the picture, as PNG"),
    *STUDY_LATER,
)

NIGHTS = (
    RUN_ID,
    Column("study", TEXT, "", "name of the study"),
    Column("exercise", INT, "", "number of the exercise"),
    Column(
        "verdict",
        TEXT,
        "",
        "`identical`: the weights of an earlier run; `same within noise`; `drifted`; `unclear`: new weights, "
        "and too few readings to tell; `first`: nothing to compare with; `no reading`: all its trials failed",
    ),
    Column("message", TEXT, "", "the verdict for people, with what changed"),
    Column("trials", INT, "", "trials of the exercise"),
    Column("failed_trials", INT, "", "of these, failed, and not compared"),
    Column("changed_trials", INT, "", "of these, with weights that no run compared with had"),
    Column(
        "compared_with",
        TEXT,
        "",
        "the latest run compared with, if identical the one it is identical to",
        True,
    ),
    Column("earlier_runs", INT, "", "runs compared with, at most 30, none from before the last drift"),
    Column("distinct_readings", INT, "", "their trials; equal weights count once"),
    Column(
        "difference",
        FLOAT,
        "fraction",
        "mean over the settings of tonight's mean accuracy less that of the distinct readings",
        True,
    ),
    Column("p_value", FLOAT, "", "chance of so large a difference without drift; null: not tested", True),
    Column("threshold", FLOAT, "", "drifted if the p value is not above it; null: not tested", True),
    Column("changes", TEXT, "", "what changed since `compared_with`, as JSON: name, before, now", True),
    Column("mean_accuracy", FLOAT, "fraction", "mean over the settings of their mean test accuracy", True),
    Column("best_accuracy", FLOAT, "fraction", "highest mean test accuracy of a setting", True),
    Column(
        "lane_seconds",
        FLOAT,
        "s",
        "time lanes were busy in this run with the trainings it reads; shared ones count in each exercise",
    ),
)
