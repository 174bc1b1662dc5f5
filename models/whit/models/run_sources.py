"""What a run is made from beside its recipe: digests that must not change while it is resumed."""

import hashlib
from pathlib import Path

from whit.models.checkpoint_folder import weights_sha256
from whit.models.digit_data import SYNTHETIC
from whit.models.recipe import Recipe


def run_sources(recipe: Recipe, data: Path) -> dict[str, str]:
    """Returns the SHA-256 of the weights a run starts from and of each file that it trains on, by name.

    A development manifest counts where text is read, for its transcripts decide what is left out of it; else
    it may be exchanged.
    """
    sources = {
        name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in sorted(_files(recipe))
    }
    if recipe.init_from:
        sources[recipe.init_from] = weights_sha256(Path(recipe.init_from))
    return sources


def _files(recipe: Recipe) -> set[str]:
    if recipe.speech is not None:
        text = recipe.speech.text
        read = set() if text is None else {*text.files, recipe.speech.dev_manifest}
        return {*recipe.speech.manifests, *read}
    if recipe.data is None:
        return set()
    names = {source.manifest for source in recipe.data.source} - {SYNTHETIC}
    return names | ({recipe.data.babble_manifest} - {""})
