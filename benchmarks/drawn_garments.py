"""How well a model does on pictures not of the dataset: garments drawn here, photographed ever worse.

`python -m benchmarks.drawn_garments MODEL [--seeds 20] [--keep FOLDER]` draws seven garments, each with so
many colours and cuts, shows each in every way below, classifies the files as `study predict` does, and prints
the table of `docs/predict.md`. They are drawings: a photograph of your own may do better or worse.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from study.calibration import Calibration
from study.fashion_mnist import CLASS_NAMES
from tasks.classify import Classifier, Prediction
from tasks.given_pictures import GivenPicture
from tasks.model_calibration import find_calibration
from tasks.prediction_output import SURE
from tasks.saved_model import load_model

SIDE = 800
"""Height and width of a picture, in pixels."""

Picture = np.ndarray
"""`(800, 800, 3)` BGR."""

Shape = list[tuple[float, float]]
"""Corners of the right half of a garment, from the top, or of a whole one; 0 to 1, y downwards."""


def mirrored(half: Shape) -> Shape:
    """A symmetrical outline from its right half."""
    return half + [(1 - x, y) for x, y in reversed(half)]


def t_shirt(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """Outlines to fill, and lines to draw over them."""
    width, sleeve = rng.uniform(0.24, 0.29), rng.uniform(0.30, 0.40)
    outline = mirrored([(0.60, 0.03), (0.5 + width, 0.09), (0.97, sleeve), (0.83, sleeve + 0.08),
                        (0.5 + width, 0.30), (0.5 + width, 0.97)])  # fmt: skip
    return [outline], [[(0.40, 0.03), (0.44, 0.09), (0.50, 0.11), (0.56, 0.09), (0.60, 0.03)]]


def trouser(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A pair of trousers."""
    waist, foot = rng.uniform(0.15, 0.18), rng.uniform(0.09, 0.13)
    outline = mirrored(
        [(0.5 + waist, 0.02), (0.53 + waist, 0.30), (0.53 + foot, 0.98), (0.53, 0.98), (0.505, 0.36)]
    )
    return [outline], [[(0.5 - waist, 0.06), (0.5 + waist, 0.06)], [(0.5, 0.06), (0.5, 0.36)]]


def pullover(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A pullover: long sleeves that hang."""
    width, cuff = rng.uniform(0.24, 0.28), rng.uniform(0.86, 0.96)
    outline = mirrored([(0.60, 0.04), (0.5 + width, 0.09), (0.90, 0.30), (0.97, cuff), (0.86, cuff + 0.02),
                        (0.5 + width + 0.02, 0.42), (0.5 + width, 0.97)])  # fmt: skip
    lines = [
        [(0.40, 0.04), (0.45, 0.08), (0.55, 0.08), (0.60, 0.04)],
        [(0.5 - width, 0.91), (0.5 + width, 0.91)],
    ]
    return [outline], lines


def dress(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A dress without sleeves."""
    waist, hem = rng.uniform(0.10, 0.13), rng.uniform(0.19, 0.26)
    outline = mirrored(
        [(0.57, 0.10), (0.60, 0.02), (0.64, 0.02), (0.66, 0.18), (0.5 + waist, 0.40), (0.5 + hem, 0.98)]
    )
    return [outline], [[(0.5 - waist, 0.40), (0.5 + waist, 0.40)]]


def bag(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A handbag with a handle."""
    top, flap = rng.uniform(0.34, 0.42), rng.uniform(0.55, 0.65)
    body = mirrored([(0.90, top), (0.97, 0.92), (0.94, 0.95)])
    turn = np.linspace(np.pi, 0, 20)
    outer = [(0.5 + 0.26 * np.cos(a), top + 0.02 - 0.30 * np.sin(a)) for a in turn]
    inner = [(0.5 + 0.21 * np.cos(a), top + 0.02 - 0.25 * np.sin(a)) for a in reversed(turn)]
    return [body, outer + inner], [[(0.09, flap), (0.91, flap)], [(0.47, flap), (0.47, flap + 0.06)]]


def sneaker(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A low shoe, its toe to the left as in the dataset."""
    top, toe = rng.uniform(0.32, 0.36), rng.uniform(0.50, 0.56)
    outline = [(0.96, top), (0.88, top + 0.04), (0.78, top + 0.05), (0.66, top), (0.45, toe - 0.06),
               (0.20, toe), (0.06, toe + 0.06), (0.02, 0.66), (0.04, 0.70), (0.96, 0.70),
               (0.98, 0.52)]  # fmt: skip
    laces = [
        [(0.50 + 0.06 * i, toe - 0.12 - 0.03 * i), (0.56 + 0.06 * i, toe - 0.02 - 0.03 * i)] for i in range(3)
    ]
    return [outline], [[(0.03, 0.64), (0.97, 0.64)], *laces]


def ankle_boot(rng: np.random.Generator) -> tuple[list[Shape], list[Shape]]:
    """A boot to above the ankle with a heel, its toe to the left as in the dataset."""
    shaft, heel = rng.uniform(0.50, 0.56), rng.uniform(0.84, 0.88)
    outline = [(shaft, 0.08), (0.94, 0.06), (0.93, 0.40), (0.97, 0.60), (0.96, 0.94), (0.74, 0.94),
               (0.72, heel), (0.50, 0.92), (0.06, 0.92), (0.03, 0.80), (0.16, 0.68), (0.40, 0.58),
               (shaft, 0.42)]  # fmt: skip
    return [outline], [[(0.04, 0.86), (0.72, 0.84)], [(0.72, 0.12), (0.72, 0.50)]]


GARMENTS: dict[str, Callable[[np.random.Generator], tuple[list[Shape], list[Shape]]]] = {
    "T-shirt/top": t_shirt,
    "Trouser": trouser,
    "Pullover": pullover,
    "Dress": dress,
    "Sneaker": sneaker,
    "Bag": bag,
    "Ankle boot": ankle_boot,
}  # fmt: skip


def draw_garment(name: str, rng: np.random.Generator) -> tuple[Picture, np.ndarray]:
    """A garment in a colour of its own, filling the picture, and its mask `(800, 800)` from 0 to 1."""
    outlines, lines = GARMENTS[name](rng)
    colour = rng.uniform(30, 190, 3)
    mask, picture = np.zeros((SIDE, SIDE), np.uint8), np.empty((SIDE, SIDE, 3), np.float32)
    picture[:] = colour
    for outline in outlines:
        cv2.fillPoly(mask, [_pixels(outline)], 255, cv2.LINE_AA)
    for line in lines:
        cv2.polylines(picture, [_pixels(line)], False, (colour * 0.6).tolist(), SIDE // 90, cv2.LINE_AA)
    # Cloth is no flat colour: soft folds, darker towards the edges.
    folds = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), SIDE / 25)
    picture *= (1 + 0.08 * folds / folds.std())[..., np.newaxis]
    return np.clip(picture, 0, 255), cv2.GaussianBlur(mask, (0, 0), 1) / np.float32(255)


def _pixels(shape: Shape) -> np.ndarray:
    return np.rint(np.array(shape) * (SIDE - 1)).astype(np.int32)


def moved(
    picture: np.ndarray, degrees: float = 0.0, size: float = 1.0, right: float = 0.0, down: float = 0.0
) -> np.ndarray:
    """A picture or mask turned, made smaller and moved by fractions of the side; what comes in is 0."""
    change = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, size)
    change[:, 2] += right * SIDE, down * SIDE
    return cv2.warpAffine(picture, change, (SIDE, SIDE), flags=cv2.INTER_AREA)


def paper(level: float) -> Picture:
    """A plain background."""
    return np.full((SIDE, SIDE, 3), level, np.float32)


def wood(rng: np.random.Generator) -> Picture:
    """Light boards with grain: dark enough to be seen, light enough to count as light."""
    grain = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), sigmaX=60, sigmaY=2)
    level = 1 + 0.13 * grain / grain.std()
    level[:: SIDE // 5] *= 0.6
    return np.clip(level[..., np.newaxis] * np.array([120, 165, 200], np.float32), 0, 255)


def laid(garment: Picture, mask: np.ndarray, on: Picture, shadow: float = 0.0) -> Picture:
    """A garment laid on a background, with a soft shadow to the lower right of so much darkness."""
    dark = cv2.GaussianBlur(moved(mask, right=0.03, down=0.03), (0, 0), SIDE / 40)
    on = on * (1 - shadow * dark[..., np.newaxis])
    return garment * mask[..., np.newaxis] + on * (1 - mask[..., np.newaxis])


def as_photographed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Uneven light and the sensor's noise."""
    light = np.linspace(rng.uniform(0.7, 0.9), 1.05, SIDE, dtype=np.float32)
    return picture * light[np.newaxis, :, np.newaxis] + rng.normal(0, 5, picture.shape)


def show_in_every_way(
    garment: Picture, mask: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[str, Picture]]:
    """The same garment from a catalogue's picture to a careless one; with transparency `(800, 800, 4)`."""
    yield "on white, filling the picture", laid(garment, mask, paper(255))
    yield "on black", laid(garment, mask, paper(0))
    yield "cut out, transparent", np.dstack([garment, 255 * mask])
    yield "on white, with a shadow", laid(garment, mask, paper(250), shadow=0.4)
    yield "on grey paper, uneven light, noise", as_photographed(laid(garment, mask, paper(200), 0.3), rng)
    for part in (0.7, 0.4):
        small = {"size": part, "right": 0.4 * (1 - part), "down": -0.3 * (1 - part)}
        picture = laid(moved(garment, **small), moved(mask, **small), paper(255))
        yield f"on white, {part:.0%} of the side, off-centre", picture
    for degrees in (15, 45, 90):
        turned = {"degrees": degrees, "size": 0.75}
        yield (
            f"on white, turned by {degrees}°",
            laid(moved(garment, **turned), moved(mask, **turned), paper(255)),
        )
    yield "on wood, filling the picture", laid(garment, mask, wood(rng))
    careless = {"degrees": rng.uniform(-25, 25), "size": 0.6, "right": 0.08, "down": 0.06}
    there = laid(moved(garment, **careless), moved(mask, **careless), wood(rng), shadow=0.4)
    yield "on wood, small, askew, shadow, noise", as_photographed(there, rng)


def draw_all(folder: Path, seeds: int) -> list[tuple[str, str, Path]]:
    """Draw every garment in every way; returns way, class and file of each."""
    drawn = []
    for name in GARMENTS:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, CLASS_NAMES.index(name)])
            for way, picture in show_in_every_way(*draw_garment(name, rng), rng):
                path = folder / f"{name.replace('/', '-')}-{seed}-{way.replace(' ', '_')}.png"
                cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
                drawn.append((way, name, path))
    return drawn


def tell(drawn: list[tuple[str, str, Path]], predictions: list[Prediction], column: int) -> str:
    """A table of how often the model is right and sure, by the way (column 0) or the class (column 1)."""
    lines = [
        "| pictures | right | sure | right of the sure | sure and wrong |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for group in dict.fromkeys(each[column] for each in drawn):
        chosen = [
            (each[1] == prediction.class_name, prediction.probability >= SURE)
            for each, prediction in zip(drawn, predictions, strict=True)
            if each[column] == group
        ]
        right, sure = np.array(chosen).T
        of_sure = f"{right[sure].mean():.0%}" if sure.any() else "–"
        lines.append(
            f"| {group} | {right.mean():.0%} | {sure.mean():.0%} | {of_sure} | {(sure & ~right).mean():.0%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Draw, classify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="a folder for the pictures; else they are removed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        drawn = draw_all(folder, asked.seeds)
        found = find_calibration(asked.model)
        calibration = found if isinstance(found, Calibration) else None
        classifier = Classifier(load_model(asked.model), calibration, asked.model)
        outcomes = list(classifier.classify([GivenPicture(path, is_named=True) for _, _, path in drawn]))
    predictions = [each for each in outcomes if isinstance(each, Prediction)]
    print(tell(drawn, predictions, 0), tell(drawn, predictions, 1), sep="\n\n")


if __name__ == "__main__":
    main()
