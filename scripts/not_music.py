"""Collect recordings that are not music: from free Debian packages, and made by formulas.

    python scripts/not_music.py train not-music
    python scripts/not_music.py test not-music-test

Needs ``apt-get``, ``dpkg`` and the network. Short files are joined to recordings of one minute.
Both parts also contain music of games, which differs from the music of GTZAN, and sounds that are
made by formulas (see made_sounds.py), with other random numbers in each part.

The first part is for training, the second for evaluation. The parts differ as follows. Telephone
prompts come from different packages and languages, game voices from different folders of the
package hedgewars-data, sounds and music from different packages. Sounds and music of hedgewars are
in the first part; of wesnoth, the sounds are in the first part and the music is in the second. The
speakers were not identified. Of the 5160 different files of the first packages, ten are identical
in both parts: nine exclamations of hedgewars (voices Default and Default_uk) and one sound that
oxygen-sounds and sound-theme-freedesktop share.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from made_sounds import made_sounds
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.errors import AudioError

RATE = 16_000
JOINED_SECONDS = 60
MADE = 12  # made sounds of each kind
LOUDNESS = 0.1  # RMS of each joined file, full scale 1
ACCENTS = r"voices/[^/]*(Russian|_ru|_uk|_pl|_es)"
MUSIC = r"/[Mm]usic/|theme"


@dataclass(frozen=True)
class Collection:
    """Files of a package that match one pattern and not another, up to a number of minutes."""

    package: str
    matching: str
    without: str = "silence"
    minutes: float = 4.0
    longest: float = 10.0  # seconds of each file


PARTS: dict[str, dict[str, list[Collection]]] = {
    "train": {
        "speech": [
            Collection("asterisk-core-sounds-en-g722", r"\.g722$"),
            Collection("asterisk-core-sounds-es-g722", r"\.g722$"),
            Collection("asterisk-core-sounds-fr-g722", r"\.g722$"),
            Collection("hedgewars-data", r"oices/.*\.ogg$", f"Singer|{ACCENTS}", minutes=7),
            Collection("fillets-ng-data-cs", r"/sound/.*\.ogg$", MUSIC),
        ],
        "sounds": [
            Collection("wesnoth-1.16-data", r"/sounds/.*\.(ogg|wav)$", MUSIC),
            Collection("wordwarvi-sound", r"\.(ogg|wav)$", MUSIC, minutes=2),
            Collection("oxygen-sounds", r"\.ogg$", MUSIC, minutes=2),
            Collection("hedgewars-data", r"Sounds/[^/]*\.ogg$", MUSIC, minutes=3),
            Collection("hyperrogue-music", r"/sounds/.*\.ogg$", MUSIC, minutes=1),
            Collection("widelands-data", r"/sound/.*\.ogg$", MUSIC, minutes=6),
            Collection("tuxpaint-data", r"\.(wav|ogg)$", MUSIC, minutes=2),
            Collection("endless-sky-data", r"\.wav$", MUSIC),
            Collection("btanks-data", r"\.ogg$", f"{MUSIC}|tunes", minutes=3),
            Collection("boswars-data", r"sounds/.*\.(wav|ogg)$", MUSIC, minutes=3),
            Collection("frozen-bubble-data", r"snd/.*\.ogg$", f"{MUSIC}|zik", minutes=1),
        ],
        "music": [
            Collection("hyperrogue-music", r"/music/.*\.ogg$", minutes=99, longest=40),
            Collection("hedgewars-data", r"/Music/.*\.ogg$", minutes=99, longest=40),
            Collection("asc-music", r"\.(ogg|mp3)$", minutes=99, longest=40),
            Collection("widelands-data", r"/music/.*\.ogg$", minutes=12, longest=40),
            Collection("lincity-ng-data", r"/music/.*\.ogg$", minutes=10, longest=40),
            Collection("frozen-bubble-data", r"zik.*\.ogg$", minutes=5, longest=40),
            Collection("fillets-ng-data", r"/music/.*\.ogg$", minutes=10, longest=40),
            Collection("boswars-data", r"music/.*\.ogg$", minutes=6, longest=40),
            Collection("btanks-data", r"tunes/.*\.ogg$", minutes=5, longest=40),
        ],
    },
    "test": {
        "speech": [
            Collection("asterisk-core-sounds-it-g722", r"\.g722$"),
            Collection("asterisk-core-sounds-ru-g722", r"\.g722$"),
            Collection("asterisk-prompt-it-menardi-wav", r"\.wav$"),
            Collection("hedgewars-data", rf"{ACCENTS}.*\.ogg$", "Singer"),
        ],
        "sounds": [
            Collection("supertux-data", r"/sounds/.*\.(ogg|wav)$", MUSIC),
            Collection("sound-theme-freedesktop", r"\.oga$", minutes=1),
            Collection("deepin-sound-theme", r"\.wav$", minutes=1),
            Collection("heroes-sound-effects", r"\.(ogg|wav)$", MUSIC, minutes=2),
            Collection("freedroidrpg-data", r"/sound/.*\.(ogg|wav)$", MUSIC),
        ],
        "music": [
            Collection("warzone2100-music", r"\.(ogg|opus)$", minutes=99, longest=60),
            Collection("singularity-music", r"\.ogg$", minutes=99, longest=60),
            Collection("wesnoth-1.16-music", r"\.ogg$", minutes=99, longest=60),
            Collection("supertux-data", r"/music/.*\.ogg$", minutes=99, longest=60),
        ],
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind, collections in PARTS[arguments.part].items():
            target = arguments.folder / kind
            target.mkdir(parents=True, exist_ok=True)
            for collection in collections:
                n = collect(collection, fetched(collection.package, Path(temporary)), target, kind)
                print(f"{kind}: {n} files from {collection.package}")
    target = arguments.folder / "made"
    target.mkdir(parents=True, exist_ok=True)
    for name, y in made_sounds(MADE, RATE, seed=sorted(PARTS).index(arguments.part)):
        soundfile.write(target / f"{name}.flac", np.clip(y, -1, 1), RATE)
    print(f"made: {len(list(target.iterdir()))} files")


def fetched(package: str, folder: Path) -> Path:
    """Download and unpack a package, once."""
    target = folder / package
    if not target.exists():
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        archive = next(folder.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", archive, target], check=True)
        archive.unlink()
    return target


def collect(collection: Collection, source: Path, target: Path, kind: str) -> int:
    files = sorted(
        path
        for path in source.rglob("*")
        if path.is_file()
        and re.search(collection.matching, str(path))
        and not re.search(collection.without, str(path))
    )
    np.random.default_rng(0).shuffle(files)  # type: ignore[arg-type]
    parts = waveforms(files, collection)
    recordings = parts if kind == "music" else joined(parts)
    n = 0
    for n, y in enumerate(recordings, start=1):
        name = f"{collection.package}-{n:03}.flac"
        soundfile.write(target / name, np.clip(y, -1, 1), RATE)
    return n


def waveforms(files: Iterable[Path], collection: Collection) -> Iterator[NDArray[np.float32]]:
    seconds = 0.0
    for path in files:
        if seconds > 60 * collection.minutes:
            return
        try:
            y = decoded(path)[: round(collection.longest * RATE)]
        except (AudioError, av.FFmpegError):
            continue
        if len(y) > 0.1 * RATE and float(np.abs(y).max()) > 1e-3:
            seconds += len(y) / RATE
            yield y


def decoded(path: Path) -> NDArray[np.float32]:
    if path.suffix != ".g722":
        return load_audio(path, sample_rate=RATE)
    with av.open(str(path), format="g722") as container:  # it has no header
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)[0].astype(np.float32) / 2**15


def joined(waveforms: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Scale waveforms to one loudness and join them, with short pauses, to about a minute each."""
    rng = np.random.default_rng(0)
    parts: list[NDArray[np.float32]] = []
    for y in waveforms:
        loud = y * (LOUDNESS / np.sqrt(np.mean(np.square(y))))
        parts += [loud, np.zeros(int(rng.integers(RATE // 20, RATE // 2)), np.float32)]
        if sum(map(len, parts)) > JOINED_SECONDS * RATE:
            yield np.concatenate(parts)
            parts = []
    if parts:
        yield np.concatenate(parts)


if __name__ == "__main__":
    main()
