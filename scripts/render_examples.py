"""Renders the example recordings: MIDI notes -> fluidsynth -> a mastered OGG Vorbis file.

    python scripts/render_examples.py [OUT_DIR] [--soundfont FILE] [--only NAME]

Needs the `fluidsynth` command and the FluidR3_GM soundfont (on Debian or Ubuntu:
`apt install fluidsynth fluid-soundfont-gm`). The notes are the same on every run.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from example_classics import bach_prelude, pachelbel_canon
from example_disco import disco_groove
from example_grooves import blues_shuffle, rock_riff
from midi_score import Score, midi_file

DEBIAN_SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "examples"
RATE = 44100
SEED = 846
PEAK_DBFS = -1.0
FADE_SECONDS = 1.8
SILENCE = 10 ** (-60 / 20)
OGG_COMPRESSION = 0.8  # 0 is the largest file; this gives about 90 kbit/s
BLOCK = 1 << 16

SCORES = {
    "bach-prelude": bach_prelude,
    "pachelbel-canon": pachelbel_canon,
    "blues-shuffle": blues_shuffle,
    "rock-riff": rock_riff,
    "disco-groove": disco_groove,
}


def synthesise(score: Score, soundfont: Path) -> np.ndarray:
    """The raw mix, as float stereo samples of shape (frames, 2)."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "score.mid", Path(folder) / "mix.wav"
        midi.write_bytes(midi_file(score, SEED))
        # Float output: peaks over full scale survive until the mastering below.
        settings = ["-ni", "-q", "-g", "0.4", "-O", "float", "-r", str(RATE), "-F", str(wav)]
        command = ["fluidsynth", *settings, str(soundfont), str(midi)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not wav.exists():
            raise RuntimeError(f"fluidsynth failed: {done.stderr.strip()}")
        samples, rate = sf.read(wav, dtype="float32", always_2d=True)
    if rate != RATE or not np.any(np.abs(samples) > SILENCE):
        raise RuntimeError("fluidsynth wrote no usable sound")
    return samples


def master(samples: np.ndarray, score: Score) -> np.ndarray:
    """Trims both ends, limits, fades out and scales to full level."""
    loud = np.flatnonzero(np.max(np.abs(samples), axis=1) > SILENCE)
    end = min(loud[-1] + 1, round(score.seconds() * RATE))
    clip = samples[loud[0] : end].astype(np.float64)
    clip /= np.max(np.abs(clip))
    # Records are limited; without it the drum peaks would leave the rest too quiet.
    clip = np.tanh(score.drive * clip)
    fade = min(len(clip), round(FADE_SECONDS * RATE))
    clip[-fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade))[:, None]
    return clip / np.max(np.abs(clip))


def encode(path: Path, samples: np.ndarray) -> None:
    with sf.SoundFile(
        path,
        "w",
        RATE,
        samples.shape[1],
        format="OGG",
        subtype="VORBIS",
        compression_level=OGG_COMPRESSION,
    ) as file:
        # In blocks: libsndfile's Vorbis encoder can overflow its stack on one long write.
        for start in range(0, len(samples), BLOCK):
            file.write(samples[start : start + BLOCK])


def write_ogg(path: Path, samples: np.ndarray) -> None:
    """Encodes twice: Vorbis moves the peaks, so the gain is set from what it decodes to."""
    encode(path, samples)
    decoded, _ = sf.read(path, always_2d=True)
    encode(path, samples * (10 ** (PEAK_DBFS / 20) / np.max(np.abs(decoded))))


def describe(path: Path) -> str:
    """Size, length and levels of the file as a player will decode it."""
    samples, rate = sf.read(path, always_2d=True)
    peak, rms = np.max(np.abs(samples)), np.sqrt(np.mean(samples**2))
    return (
        f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {len(samples) / rate:.1f} s, "
        f"peak {20 * np.log10(peak):.1f} dBFS, RMS {20 * np.log10(rms):.1f} dBFS"
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Render the example recordings.")
    parser.add_argument("out_dir", nargs="?", type=Path, default=DEFAULT_OUT, metavar="OUT_DIR")
    parser.add_argument("--soundfont", type=Path, default=DEBIAN_SOUNDFONT, metavar="FILE")
    parser.add_argument("--only", choices=SCORES, help="render this one recording")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if shutil.which("fluidsynth") is None:
        sys.exit("error: the fluidsynth command is not installed")
    if not args.soundfont.is_file():
        sys.exit(f"error: no soundfont at {args.soundfont}; give one with --soundfont FILE")
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in [args.only] if args.only else SCORES:
        score = SCORES[name]()
        path = args.out_dir / f"{name}.ogg"
        write_ogg(path, master(synthesise(score, args.soundfont), score))
        print(describe(path))


if __name__ == "__main__":
    main()
