"""Compute the figures of the card of ``lens`` from the held-out sets of a cross-validation.

    python scripts/lens_card.py runs/lens-grouped/sets.npz --out runs/lens-card
    python scripts/lens_card.py sets.npz --names GTZAN modern --out card

Writes ``card.json`` and ``card.md``. All probabilities are calibrated with the temperatures of the
other rounds. Intervals are 95 % intervals over groups (artists). Microphone recordings are
evaluated separately from the clips of the folders.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from genrelens.evaluation.calibration import abstention
from genrelens.evaluation.held_out_sets import RUN_LENGTHS, HeldOutSets
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import score
from genrelens.evaluation.set_calibration import (
    GENRE_THRESHOLD,
    calibrated_sets,
    calibration_error,
    fit_genre_rules,
    fit_noise_rule,
    fit_temperatures,
)
from genrelens.set_head import softmax

Float64 = NDArray[np.float64]
SURE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=Path)
    parser.add_argument(
        "--names", nargs="*", default=[], help="names of the folders of data, in order"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/lens-card"))
    arguments = parser.parse_args()
    held = HeldOutSets.load(arguments.sets)
    card = figures(held, arguments.names)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    (arguments.out / "card.md").write_text(markdown(card))
    print(f"{arguments.out}/card.json and card.md")


def figures(held: HeldOutSets, names: list[str]) -> dict[str, Any]:
    clean = held.select(~held.microphone)
    fitted, thresholds = cross_fitted(clean)
    whole, probabilities = clean.select(clean.whole), fitted[clean.whole]
    limits = thresholds[clean.whole]
    sources = sorted(set(whole.sources.tolist()))
    named = {n: names[n] if n < len(names) else f"folder {n + 1}" for n in sources}
    return {
        "temperatures": fit_temperatures(clean),
        "accuracy": {
            named[n]: accuracy(whole.select(whole.sources == n), probabilities[whole.sources == n])
            for n in sources
        },
        "recall of each genre": {
            named[n]: recalls(whole.select(whole.sources == n), probabilities[whole.sources == n])
            for n in sources
        },
        "length": lengths(clean, fitted, named),
        "not sure": {
            name: answered(whole.true, probabilities, limits, whole.sources == n)
            for n, name in named.items()
        }
        | {"all": answered(whole.true, probabilities, limits, whole.sources >= 0)},
        "several genres": several(whole, probabilities),
        "microphone": microphone(held, clean),
        "signal-to-noise ratio of clean clips": quantiles(whole.snr),
    }


def cross_fitted(held: HeldOutSets) -> tuple[Float64, Float64]:
    """Return probabilities and thresholds of "not sure"; those of a round are of the others."""
    fitted, thresholds = np.empty_like(held.logits), np.empty(len(held.true))
    for number in np.unique(held.rounds):
        inside = held.rounds == number
        others = held.select(~inside)
        temperatures = fit_temperatures(others)
        fitted[inside] = calibrated_sets(held.select(inside), temperatures)
        whole = others.select(others.whole)
        limit = abstention(table(whole, calibrated_sets(whole, temperatures)), SURE).threshold
        thresholds[inside] = limit
    return fitted, thresholds


def table(held: HeldOutSets, probabilities: Float64) -> PredictionTable:
    """Return a table among the genres that occur, so that macro recall is over these."""
    present = np.unique(held.true)
    chosen = probabilities[:, present]
    return PredictionTable(
        labels=tuple(held.labels[present].tolist()),
        clips=tuple(held.clips.tolist()),
        true=np.searchsorted(present, held.true),
        probabilities=chosen / chosen.sum(axis=1, keepdims=True),
        groups=tuple(held.groups.tolist()),
    )


def accuracy(held: HeldOutSets, probabilities: Float64) -> dict[str, Any]:
    """Return the figures among all genres (without intervals) and among those of the folder."""
    right = probabilities.argmax(axis=1) == held.true
    second = np.argsort(-probabilities, axis=1)[:, :2]
    found = score(table(held, probabilities)).to_dict()
    kept = ("accuracy", "macro_recall", "top2", "ece")
    return {
        "clips": len(right),
        "genres": len(np.unique(held.true)),
        "among its genres": {
            name: [found[name][end] for end in ("value", "low", "high")] for name in kept
        },
        "among all genres": {
            "accuracy": float(right.mean()),
            "macro_recall": float(np.mean([right[held.true == g].mean() for g in set(held.true)])),
            "top2": float((second == held.true[:, None]).any(axis=1).mean()),
            "ece": calibration_error(probabilities, held.true),
        },
    }


def recalls(held: HeldOutSets, probabilities: Float64) -> dict[str, list[int]]:
    right = probabilities.argmax(axis=1) == held.true
    return {
        str(held.labels[genre]): [
            int(right[held.true == genre].sum()),
            int((held.true == genre).sum()),
        ]
        for genre in np.unique(held.true)
    }


def lengths(held: HeldOutSets, fitted: Float64, named: dict[int, str]) -> dict[str, Any]:
    """Return accuracy and calibration error for each number of segments."""
    result = {}
    for length in (*RUN_LENGTHS, 0):
        part = held.whole if not length else ~held.whole & (held.sizes.round() == length)
        if not part.any():
            continue
        right = fitted[part].argmax(axis=1) == held.true[part]
        sources = held.sources[part]
        result["whole clip" if not length else str(length)] = {
            "sets": int(part.sum()),
            "segments": float(held.sizes[part].mean()),
            "accuracy": {
                n: float(right[sources == i].mean()) for i, n in named.items() if i in sources
            },
            "ece before": calibration_error(softmax(held.logits[part]), held.true[part]),
            "ece": calibration_error(fitted[part], held.true[part]),
        }
    return result


def answered(
    true: NDArray[np.int64], probabilities: Float64, limits: Float64, part: NDArray[np.bool_]
) -> dict[str, float]:
    sure = (probabilities.max(axis=1) >= limits) & part
    right = probabilities.argmax(axis=1) == true
    accuracy = float(right[sure].mean()) if sure.any() else float("nan")
    return {"answered": float(sure.sum() / part.sum()), "right": accuracy}


def several(held: HeldOutSets, probabilities: Float64) -> dict[str, float]:
    """Return the figures of the genre rules; each round has the rules of the others."""
    applies = np.zeros(probabilities.shape, bool)
    for number in np.unique(held.rounds):
        inside = held.rounds == number
        rules = fit_genre_rules(held.select(~inside), probabilities[~inside])
        applies[inside] = [
            [rule.probability(p) >= rule.threshold for rule, p in zip(rules, row, strict=True)]
            for row in probabilities[inside]
        ]
    hits = applies[np.arange(len(applies)), held.true]
    truth = held.true[:, None] == np.arange(len(held.labels))
    areas = {
        str(label): float(roc_auc_score(truth[:, i], probabilities[:, i]))
        for i, label in enumerate(held.labels)
        if truth[:, i].any()
    }
    return {
        "threshold": GENRE_THRESHOLD,
        "genres of a clip": float(applies.sum(axis=1).mean()),
        "label among them": float(hits.mean()),
        "precision": float(hits.sum() / max(1, applies.sum())),
        "area under the ROC curve": areas,
    }


def microphone(held: HeldOutSets, clean: HeldOutSets) -> dict[str, Any] | None:
    """Return the figures on microphone recordings; each round has the rules of the others."""
    part = held.select(held.microphone & held.whole)
    if not len(part.true):
        return None
    sure, fitted = np.zeros(len(part.true), bool), np.empty_like(part.logits)
    for number in np.unique(part.rounds):
        inside = part.rounds == number
        fitted[inside], sure[inside] = judged(part, inside, clean.select(clean.rounds != number))
    right = fitted.argmax(axis=1) == part.true
    genres = np.unique(part.true)
    return {
        "recordings": len(right),
        "balanced accuracy": float(np.mean([right[part.true == g].mean() for g in genres])),
        "sure": int(sure.sum()),
        "sure and wrong": int((sure & ~right).sum()),
        "signal-to-noise ratio": quantiles(part.snr),
    }


def judged(
    part: HeldOutSets, inside: NDArray[np.bool_], clean: HeldOutSets
) -> tuple[Float64, NDArray[np.bool_]]:
    """Return probabilities of the recordings inside, and whether they are sure; rules of others."""
    temperatures = fit_temperatures(clean)
    whole = clean.select(clean.whole)
    limit = abstention(table(whole, calibrated_sets(whole, temperatures)), SURE).threshold
    rule = fit_noise_rule(
        HeldOutSets.joined([clean, part.select(~inside)]), temperatures, sure=limit
    )
    fitted = calibrated_sets(part.select(inside), temperatures)
    ratios, limits = zip(*rule, strict=True)
    needed = np.where(
        part.snr[inside] < ratios[0], np.inf, np.interp(part.snr[inside], ratios, limits)
    )
    return fitted, fitted.max(axis=1) >= needed


def quantiles(values: Float64) -> dict[str, float]:
    return {f"{q} %": float(np.percentile(values, q)) for q in (2, 10, 50, 90, 98)}


# ----------------------------------------------------------------------------- Markdown


def markdown(card: dict[str, Any]) -> str:
    return (
        "\n\n".join(
            [
                accuracy_table(card["accuracy"]),
                genre_table(card["recall of each genre"]),
                length_table(card["length"]),
                other_table(card),
            ]
        )
        + "\n"
    )


def rows_of(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def accuracy_table(found: dict[str, Any]) -> str:
    rows = []
    for name, each in found.items():
        own = [
            f"{percent(value)} ({percent(low)} to {percent(high)})"
            for value, low, high in (
                each["among its genres"][key] for key in ("macro_recall", "accuracy", "top2")
            )
        ]
        everything = each["among all genres"]
        rows.append([name, str(each["clips"]), f"{each['genres']}", *own])
        rest = [percent(everything[key]) for key in ("macro_recall", "accuracy", "top2")]
        rows.append([name, str(each["clips"]), "all", *rest])
    return rows_of(["clips of", "clips", "among", "macro recall", "right", "top 2"], rows)


def genre_table(found: dict[str, dict[str, list[int]]]) -> str:
    genres = sorted({genre for each in found.values() for genre in each})
    rows = [
        [
            genre,
            *(
                " of ".join(map(str, each[genre])) if genre in each else ""
                for each in found.values()
            ),
        ]
        for genre in genres
    ]
    return rows_of(["genre", *found], rows)


def length_table(found: dict[str, Any]) -> str:
    names = sorted({name for each in found.values() for name in each["accuracy"]})
    rows = [
        [
            length,
            *(percent(each["accuracy"][n]) if n in each["accuracy"] else "" for n in names),
            f"{each['ece before']:.3f}",
            f"{each['ece']:.3f}",
        ]
        for length, each in found.items()
    ]
    header = ["segments", *(f"right of {name}" for name in names), "error before", "after"]
    return rows_of(header, rows)


def other_table(card: dict[str, Any]) -> str:
    rows = [
        [f"{name}: answered, right", f"{percent(each['answered'])}, {percent(each['right'])}"]
        for name, each in card["not sure"].items()
    ]
    several_ = card["several genres"]
    keys = ("genres of a clip", "label among them", "precision")
    rows += [[key, f"{several_[key]:.3f}"] for key in keys]
    if card["microphone"]:
        keys = ("recordings", "balanced accuracy", "sure", "sure and wrong")
        rows += [[f"microphone: {key}", f"{card['microphone'][key]:.3g}"] for key in keys]
    return rows_of(["", ""], rows)


if __name__ == "__main__":
    main()
