"""Evaluate models on labelled clips: figures with intervals, comparison, calibration, reports.

Example::

    from pathlib import Path
    from genrelens import Classifier
    from genrelens.data import read_folder
    from genrelens.evaluation import (
        compare, environment, evaluate, load_predictions, measure_robustness, write_report
    )

    classifier, clips = Classifier.load(), read_folder(Path("clips"))
    result = evaluate(classifier, clips)
    value, low, high = result.scores.accuracy              # with its 95 % interval
    write_report(Path("report"), "My model", result.table, result.scores, environment())

    other = load_predictions(Path("other-model.csv"))      # of any model
    print(compare(other, result.table).summary("other", "mine"))
    for row in measure_robustness(classifier, clips).rows:
        print(row.condition, row.accuracy.value)
"""

from genrelens.evaluation.bootstrap import Estimate, interval_note
from genrelens.evaluation.calibration import (
    Abstention,
    abstention,
    apply_temperature,
    cross_fitted,
    fit_temperature,
    held_out_abstention,
)
from genrelens.evaluation.comparison import Comparison, common_clips, compare, load_tables
from genrelens.evaluation.conditions import CONDITIONS, Condition
from genrelens.evaluation.metrics import (
    accuracy,
    confusion_matrix,
    macro_recall,
    recalls,
    wilson_interval,
)
from genrelens.evaluation.model_calibration import Calibration, calibrate_model, objection
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions
from genrelens.evaluation.provenance import (
    data_fingerprint,
    data_provenance,
    environment,
    model_provenance,
    predictions_provenance,
)
from genrelens.evaluation.report.write import write_report
from genrelens.evaluation.robustness import (
    ConditionScores,
    Robustness,
    compare_conditions,
    measure_robustness,
)
from genrelens.evaluation.run import Evaluation, evaluate, evaluate_predictions
from genrelens.evaluation.scores import ClassScores, Scores, WorstClip, score

__all__ = [
    "CONDITIONS",
    "Abstention",
    "Calibration",
    "ClassScores",
    "Comparison",
    "Condition",
    "ConditionScores",
    "Estimate",
    "Evaluation",
    "PredictionTable",
    "Robustness",
    "Scores",
    "WorstClip",
    "abstention",
    "accuracy",
    "apply_temperature",
    "calibrate_model",
    "common_clips",
    "compare",
    "compare_conditions",
    "confusion_matrix",
    "cross_fitted",
    "data_fingerprint",
    "data_provenance",
    "environment",
    "evaluate",
    "evaluate_predictions",
    "fit_temperature",
    "held_out_abstention",
    "interval_note",
    "load_predictions",
    "load_tables",
    "macro_recall",
    "measure_robustness",
    "model_provenance",
    "objection",
    "predictions_provenance",
    "recalls",
    "score",
    "wilson_interval",
    "write_report",
]
