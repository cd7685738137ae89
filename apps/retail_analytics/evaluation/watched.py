"""The truth of published clips, made by watching: times and lines, never pictures.

The clips themselves are not ours to pass on. Each folder in `truth/` says by file name which
clip it is of; wherever a clip of that name lies, the two belong together.
"""

from pathlib import Path

from apps.retail_analytics.evaluation.scene import SCENE, read_scene
from apps.retail_analytics.evaluation.truth import Recording, read_folder

TRUTH = Path(__file__).parents[1] / "truth"


def watched(folder: Path, truth: Path = TRUTH) -> list[Recording]:
    """The recordings whose clip lies in `folder`; raises ConfigError for broken truth."""
    found = []
    for scene in sorted(truth.glob(f"*/{SCENE}")):
        clip = read_scene(scene).clip
        if clip and (folder / clip).is_file():
            found.append(read_folder(scene.parent, folder / clip))
    return found
