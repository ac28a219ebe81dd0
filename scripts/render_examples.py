"""Render the example recordings into OGG Vorbis files.

    python scripts/render_examples.py [OUT_DIR] [--only NAME] [--recordings FOLDER]

Needs numpy, scipy and soundfile, and on Debian 12 the packages fluidsynth,
musescore-general-soundfont, avldrums.lv2-soundfont and espeak-ng. Notes, computed sounds and
effects are the same on every run. FOLDER holds the unpacked packages that the recorded examples
come from (see `example_recorded.py`); without it those are left as they are.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf
from example_baroque import canon, prelude
from example_blues import between_genres, blues_shuffle
from example_country import country_two_step
from example_disco import disco_groove
from example_electronic import trance
from example_hiphop import hip_hop_verse
from example_jazz import jazz_quartet
from example_punk import punk_chords
from example_recorded import CAVE_THEME, GAMEPLAY_3, WAR_OF_FREEDOM, excerpt
from example_reggae import reggae_one_drop
from example_rock import rock_riff
from session import DRUM_KIT, SOUNDFONT, Session, mix
from studio import RATE

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "examples"
PEAK_DBFS = -1.0
COMPRESSION = (0.7, 0.8, 0.9, 0.95, 1.0)  # of libsndfile; 0 gives the largest file
LARGEST = 180_000  # bytes, but for these:
LIMITS = {
    "ambient-cave": 190_000,
    "bach-prelude": 165_000,
    "blues-shuffle": 190_000,
    "country-two-step": 200_000,
    "disco-groove": 340_000,
    "folk-horizons": 280_000,
    "punk-chords": 280_000,
    "reggae-one-drop": 280_000,
    "rock-riff": 280_000,
    "trance": 190_000,
}
BLOCK = 1 << 16

SESSIONS: dict[str, Callable[[], Session]] = {
    "bach-prelude": prelude,
    "between-genres": between_genres,
    "blues-shuffle": blues_shuffle,
    "country-two-step": country_two_step,
    "disco-groove": disco_groove,
    "hip-hop-verse": hip_hop_verse,
    "jazz-quartet": jazz_quartet,
    "pachelbel-canon": canon,
    "punk-chords": punk_chords,
    "reggae-one-drop": reggae_one_drop,
    "rock-riff": rock_riff,
    "trance": trance,
}
RECORDINGS = {
    "ambient-cave": CAVE_THEME,
    "folk-horizons": GAMEPLAY_3,
    "metal-war-of-freedom": WAR_OF_FREEDOM,
}


def encode(path: Path, samples: np.ndarray, compression: float) -> None:
    """Write an OGG Vorbis file."""
    with sf.SoundFile(
        path,
        "w",
        RATE,
        samples.shape[1],
        format="OGG",
        subtype="VORBIS",
        compression_level=compression,
    ) as file:
        # In blocks: libsndfile's Vorbis encoder can overflow its stack on one long write.
        for start in range(0, len(samples), BLOCK):
            file.write(samples[start : start + BLOCK])


def write_ogg(path: Path, samples: np.ndarray) -> None:
    """Write the best quality within the largest size; peaks are set as they decode."""
    for compression in COMPRESSION:
        encode(path, 0.8 * samples, compression)
        if path.stat().st_size <= LIMITS.get(path.stem, LARGEST):
            break
    decoded, _ = sf.read(path, always_2d=True)
    encode(path, 0.8 * samples * (10 ** (PEAK_DBFS / 20) / np.max(np.abs(decoded))), compression)


def describe(path: Path) -> str:
    """Return the size, length and levels of the file as a player decodes it."""
    samples, rate = sf.read(path, always_2d=True)
    peak, rms = np.max(np.abs(samples)), np.sqrt(np.mean(samples**2))
    return (
        f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {len(samples) / rate:.1f} s, "
        f"peak {20 * np.log10(peak):.1f} dBFS, RMS {20 * np.log10(rms):.1f} dBFS"
    )


def parse_args() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Render the example recordings.")
    parser.add_argument("out_dir", nargs="?", type=Path, default=DEFAULT_OUT, metavar="OUT_DIR")
    parser.add_argument("--recordings", type=Path, metavar="FOLDER")
    parser.add_argument("--only", choices=[*SESSIONS, *RECORDINGS], help="render this one")
    return parser.parse_args()


def main() -> None:
    """Render what the command line asks for."""
    args = parse_args()
    for command in ("fluidsynth", "espeak-ng"):
        if shutil.which(command) is None:
            sys.exit(f"error: the command {command} is not installed")
    for soundfont in (SOUNDFONT, DRUM_KIT):
        if not soundfont.is_file():
            sys.exit(f"error: no soundfont at {soundfont}")
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in [args.only] if args.only else [*SESSIONS, *RECORDINGS]:
        if name in SESSIONS:
            samples = mix(SESSIONS[name]())
        elif args.recordings:
            samples = excerpt(RECORDINGS[name], args.recordings)
        else:
            continue
        path = args.out_dir / f"{name}.ogg"
        write_ogg(path, samples)
        print(describe(path))


if __name__ == "__main__":
    main()
