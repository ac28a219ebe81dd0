"""Recipes: the packaged ones have the original's settings, and errors name the mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from genrelens.errors import RecipeError
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig
from genrelens.train.recipe import NETWORKS, packaged_recipes
from support import tiny

if TYPE_CHECKING:
    from genrelens.train.recipe import Recipe

ORIGINALS = ["mel-cnn", "mel-cnn-lstm", "mfcc-lstm"]


def load(folder: Path, text: str) -> Recipe:
    from genrelens.train.recipe import Recipe

    path = folder / "mine.toml"
    path.write_text(text)
    return Recipe.load(path)


# ---------------------------------------------------------------------------- packaged


@pytest.mark.parametrize("name", packaged_recipes())
def test_packaged_recipes_load(name: str) -> None:
    from genrelens.train.recipe import Recipe

    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.network in NETWORKS


def test_every_network_of_the_original_has_its_recipe() -> None:
    from genrelens.train.recipe import Recipe

    assert set(ORIGINALS) <= set(packaged_recipes())
    assert [Recipe.load(name).network for name in ORIGINALS] == ORIGINALS


@pytest.mark.parametrize(
    ("name", "features"),
    [("mel-cnn", ORIGINAL_MEL), ("mel-cnn-lstm", ORIGINAL_MEL), ("mfcc-lstm", ORIGINAL_MFCC)],
)
def test_original_recipes_use_the_original_front_ends(name: str, features: FeatureConfig) -> None:
    from genrelens.train.recipe import Recipe

    assert Recipe.load(name).features == features


def test_original_front_ends_are_those_of_the_table() -> None:
    mel, mfcc = ORIGINAL_MEL, ORIGINAL_MFCC
    assert (mel.sample_rate, mel.n_fft, mel.hop_length, mel.n_mels) == (44_100, 4096, 1024, 128)
    assert (mel.f_min, mel.f_max, mel.segment_frames, mel.segment_hop) == (1, 22_050, 41, 41)
    assert (mfcc.sample_rate, mfcc.n_fft, mfcc.hop_length, mfcc.n_mfcc) == (16_000, 512, 171, 20)
    assert (mfcc.segment_frames, mfcc.segment_hop) == (41, 41)


@pytest.mark.parametrize("name", ORIGINALS)
def test_original_recipes_train_on_every_segment_unchanged(name: str) -> None:
    from genrelens.train.recipe import AugmentConfig, Recipe

    recipe = Recipe.load(name)
    assert recipe.training.epochs == 30
    assert recipe.training.crops_per_clip == 0
    assert recipe.augment == AugmentConfig()


def test_22k_recipe_has_the_original_resolution() -> None:
    from genrelens.train.recipe import Recipe

    features = Recipe.load("mel-cnn-lstm-22k").features
    doubled = replace(features, sample_rate=44_100, n_fft=4096, hop_length=1024, f_max=22_050)
    assert doubled == ORIGINAL_MEL


# -------------------------------------------------------------------------- TOML files


@pytest.mark.parametrize("network", NETWORKS)
def test_values_of_a_file_are_read(network: str, tmp_path: Path) -> None:
    text = tiny.recipe_text(network, epochs=7, learning_rate=1, schedule="cosine", seed=5)
    recipe = load(tmp_path, text)
    assert (recipe.name, recipe.network) == ("mine", network)
    features = {"mfcc-lstm": tiny.MFCC, "musicnn": tiny.LENS}.get(network, tiny.MEL)
    assert recipe.features == features
    assert (recipe.training.epochs, recipe.training.seed) == (7, 5)
    assert recipe.training.schedule == "cosine"
    assert recipe.training.learning_rate == 1.0
    assert recipe.segment_lstm.epochs == 2


def test_weights_of_the_folders_are_numbers(tmp_path: Path) -> None:
    recipe = load(tmp_path, tiny.recipe_text("musicnn") + "\n[head]\ndata_weights = [0.45, 1]")
    assert recipe.head.data_weights == (0.45, 1)
    assert load(tmp_path, tiny.recipe_text("musicnn")).head.data_weights == ()


def test_only_network_and_features_are_required(tmp_path: Path) -> None:
    text = tiny.recipe_text()
    kept = text[: text.index("[training]")]
    recipe = load(tmp_path, kept)
    assert recipe.training.epochs == 30
    assert not recipe.augment.changes_segments


def test_to_dict_contains_all_settings(tmp_path: Path) -> None:
    recipe = load(tmp_path, tiny.recipe_text(patience=3))
    values = recipe.to_dict()
    assert values["training"]["patience"] == 3
    assert FeatureConfig.from_dict(values["features"]) == recipe.features


BASE = tiny.recipe_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE.replace("epochs = 2", "epoch = 2", 1), r"\[training\].*'epoch'.*mean 'epochs'"),
        (BASE + "\n[augments]", "'augments'.*did you mean 'augment'"),
        ("zzz = 1\n" + BASE, "unknown key 'zzz'$"),
        (BASE.replace("n_mels = 16", "n_mels = '16'"), r"\[features\] n_mels='16'.*type int"),
        (BASE.replace("n_mels = 16", "n_mels = 16.0"), "n_mels=16.0 must be of type int"),
        (BASE.replace("epochs = 2", "epochs = true", 1), "epochs=True must be of type int"),
        (BASE.replace("input_norm = true", "input_norm = 1"), "input_norm=1.*type bool"),
        (BASE.replace("[training]", "[training]\nweight_decay = nan"), "weight_decay.*finite"),
        (BASE.replace("[training]", "[training]\nlearning_rate = inf"), "learning_rate.*finite"),
        (BASE.replace("n_fft = 256\n", ""), r"\[features\] is incomplete: n_fft missing"),
        (BASE.replace('network = "mel-cnn"', ""), "incomplete: network missing"),
        (BASE.replace('"mel-cnn"', '"mfcc-lstm"'), "'mfcc-lstm' needs features of kind 'mfcc'"),
        (BASE.replace('"mel-cnn"', '"cnn"'), "network='cnn' must be one of mfcc-lstm, mel-cnn"),
        (BASE.replace('kind = "mel"', 'kind = "cqt"'), "kind='cqt' must be 'mel' or 'mfcc'"),
        (BASE.replace("f_max = 4000", "f_max = 5000"), "f_max=5000.* <= sample_rate / 2"),
        (BASE + "\n[head]\ndata_weights = 1", r"data_weights=1 must be a list"),
        (BASE + "\n[head]\ndata_weights = [1, 'a']", r"data_weights='a' must be of type float"),
        (BASE + "\n[head]\ndata_weights = [1, nan]", r"data_weights=nan must be finite"),
        ("augment = 3\n" + BASE, r"\[augment\] must be a table"),
        ("name = 'other'\n" + BASE, "file name is the name"),
        (BASE.replace("=", ":"), "Expected '='.*line 1"),
        ("", "incomplete"),
    ],
)
def test_the_message_names_the_mistake(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=rf"mine\.toml: .*{words}"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("training", "epochs = 0"),
        ("training", "batch_size = 1"),
        ("training", "crops_per_clip = -1"),
        ("training", "learning_rate = 0"),
        ("training", "weight_decay = -0.1"),
        ("training", "schedule = 'linear'"),
        ("training", "label_smoothing = 1"),
        ("training", "ema_decay = 1.0"),
        ("training", "patience = -1"),
        ("training", "precision = '8-mixed'"),
        ("training", "seed = -1"),
        ("training", "seed = 4294967296"),
        ("segment_lstm", "epochs = 0"),
        ("segment_lstm", "passes = 0"),
        ("segment_lstm", "batch_size = 0"),
        ("segment_lstm", "learning_rate = 0.0"),
        ("segment_lstm", "patience = -1"),
        ("segment_lstm", "shortest = -1"),
        ("segment_lstm", "schedule = 'linear'"),
        ("segment_lstm", "label_smoothing = 1"),
        ("segment_lstm", "ema_decay = -0.1"),
        ("segment_lstm", "mean_target = -0.1"),
        ("segment_lstm", "mean_target = 1.1"),
        ("segment_lstm", "cross_fit = -2"),
        ("segment_lstm", "cross_fit = 1"),
        ("head", "data_weights = [1, 0]"),
        ("head", "data_weights = [-1]"),
        ("head", "discriminant = -0.1"),
        ("head", "discriminant = 1.1"),
        ("head", "clean_share = 1.1"),
        ("augment", "gain_db = -1"),
        ("augment", "low_pass = 1.1"),
        ("augment", "high_pass = 2"),
        ("augment", "noise = -0.5"),
        ("augment", "stretch = 1"),
        ("augment", "mask_frames = -1"),
        ("augment", "mixup = -0.2"),
        ("augment", "low_pass = 0.5\nlow_pass_hz = 4000"),  # f_max: nothing would be cut
    ],
)
def test_the_message_names_an_impossible_value(section: str, line: str, tmp_path: Path) -> None:
    features = BASE[: BASE.index("[training]")]
    with pytest.raises(RecipeError, match=line.split("\n")[-1].split(" ")[0] + "="):
        load(tmp_path, f"{features}\n[{section}]\n{line}")


def test_mfccs_can_only_be_augmented_by_mixup(tmp_path: Path) -> None:
    text = tiny.recipe_text("mfcc-lstm") + "\n[augment]\n"
    assert load(tmp_path, text + "mixup = 0.2").augment.mixup == 0.2
    with pytest.raises(RecipeError, match="only mixup can augment MFCCs"):
        load(tmp_path, text + "gain_db = 3")


def test_unknown_name_lists_the_known_ones() -> None:
    from genrelens.train.recipe import Recipe

    with pytest.raises(
        RecipeError, match=r"no recipe 'mel-cnm'; the recipes are lens, .*mfcc-lstm"
    ):
        Recipe.load("mel-cnm")


def test_unreadable_files(tmp_path: Path) -> None:
    from genrelens.train.recipe import Recipe

    with pytest.raises(RecipeError, match=r"absent\.toml: No such file"):
        Recipe.load(tmp_path / "absent.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(RecipeError, match=r"folder\.toml: Is a directory"):
        Recipe.load(tmp_path / "folder.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(RecipeError, match=r"latin\.toml: is not UTF-8"):
        Recipe.load(tmp_path / "latin.toml")


@pytest.mark.parametrize("change", [{"precision": "fast"}, {"seed": -1}, {"epochs": 0}])
def test_override_is_checked_too(change: dict[str, Any], tmp_path: Path) -> None:
    recipe = load(tmp_path, BASE)
    assert recipe.with_training(epochs=3).training.epochs == 3
    with pytest.raises(RecipeError, match=f"recipe mine: {next(iter(change))}="):
        recipe.with_training(**change)


@pytest.mark.parametrize("change", [{"precision": "16-mixed"}, {"epochs": 3, "seed": 4}])
def test_musicnn_takes_only_the_seed_from_training(change: dict[str, Any]) -> None:
    from genrelens.train.recipe import Recipe

    recipe = Recipe.load("lens")
    assert recipe.with_training(seed=4).training.seed == 4
    name = next(iter(change))
    with pytest.raises(RecipeError, match=rf"recipe lens: {name} would .*\[head\] in a copy"):
        recipe.with_training(**change)


def test_epochs_of_the_trained_part(tmp_path: Path) -> None:
    assert load(tmp_path, tiny.recipe_text("mel-cnn-lstm", epochs=7)).epochs == 7
    text = tiny.recipe_text("musicnn", epochs=7) + "\n[head]\nepochs = 5"
    assert load(tmp_path, text).epochs == 5
