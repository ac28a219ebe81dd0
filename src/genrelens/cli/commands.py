"""The list of commands. It imports nothing, so that ``genrelens --help`` is fast."""

from __future__ import annotations

__all__ = ["COMMANDS", "DESCRIPTION", "GROUPS", "OPTIONS"]

DESCRIPTION = "Classify the genre of music recordings."

COMMANDS = {  # panel of the help page -> command -> (module:function, first line of its docstring)
    "Listen": {
        "classify": ("classify:classify", "Classify the genre of recordings."),
        "features": (
            "features:features",
            "Show the features of a recording: the input of the networks.",
        ),
        "models": (
            "models:models",
            "List the packaged models, or show all details of one model.",
        ),
    },
    "Library": {
        "scan": (
            "scan:scan",
            "Classify all recordings of a library and store the results in the catalogue or a data "
            "set.",
        ),
        "stats": (
            "stats:stats",
            "Count the files of the catalogue: genres, failures with their reasons, copies and "
            "hours.",
        ),
        "list": (
            "list:list_files",
            "List the files of the catalogue that meet all given conditions.",
        ),
        "similar": (
            "similar:similar",
            "List the recordings of the catalogue that are most similar to one, by their "
            "embeddings.",
        ),
        "playlist": (
            "playlist:playlist",
            "Make a playlist that leads from one recording to another without jumps.",
        ),
        "map": (
            "map:map_files",
            "Draw a map of the library as a web page: recordings that sound alike are near each "
            "other.",
        ),
        "audit": (
            "audit:audit",
            "Show files whose genre tag disagrees with the prediction, the largest disagreement "
            "first.",
        ),
        "tag": ("tag:tag", "Write predicted genres to the tags of files that have been scanned."),
        "export": (
            "export:export",
            "Write scanned tracks, with genres and playlists, as a collection of a DJ program.",
        ),
        "catalog": ("catalog:app", "Merge catalogues and data sets."),
        "undo": ("undo:undo", 'Restore the files that a run of "genrelens tag --apply" wrote.'),
    },
    "Train and judge": {
        "train": ("train:train", "Train a model on your own recordings."),
        "crossval": (
            "crossval:crossval",
            "Cross-validate a recipe: train on all folds except one, and test on that one.",
        ),
        "evaluate": (
            "evaluate:evaluate",
            "Evaluate a model on labelled clips: accuracy, recall and calibration with 95 % "
            "intervals.",
        ),
        "compare": (
            "compare:compare",
            "Compare other models with the first one, on the clips that all of them classified.",
        ),
        "calibrate": (
            "calibrate:calibrate",
            "Fit the temperature of a model, so that its probabilities match how often it is "
            "right.",
        ),
        "leak": (
            "leak:leak",
            "Measure how much of the accuracy is due to the split: by segment, by clip or by "
            "artist.",
        ),
        "data": ("data:app", "Check, split and download data sets."),
    },
    "Serve": {
        "serve": ("serve:serve", "Serve the web page and the HTTP API."),
        "site": (
            "site:site",
            "Write a static site: a page that classifies in the browser and needs no server.",
        ),
    },
    "Set up": {
        "config": ("config:config", "Show the settings that differ from the defaults."),
        "env": ("env:env", "Show versions, decoders, paths and models, for a bug report."),
    },
}

GROUPS = {  # command that is a group -> its commands
    "catalog": ("import",),
    "data": ("check", "gtzan", "split"),
}

OPTIONS = {  # option of genrelens itself -> (short form, meaning)
    "--config": ("", "Configuration file to use; see genrelens config."),
    "--verbose": ("-v", "Show on standard error what is done; -vv: also details of each file."),
    "--quiet": ("-q", "Show only results and errors: no notes, warnings or progress."),
    "--version": ("", "Show the version and exit."),
    "--install-completion": ("", "Install completion for the current shell."),
    "--show-completion": (
        "",
        "Show completion for the current shell, to copy it or customize the installation.",
    ),
    "--help": ("-h", "Show this message and exit."),
}
