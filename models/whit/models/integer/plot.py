"""Synthetic inputs to look at: a spectrogram beside one of speech, and what batch norms say of both."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from whit.models.ctc_model import CtcModel
from whit.models.integer.batch_norm_statistics import gaussian_divergence, norm_input
from whit.models.integer.calibrate import FeatureBatch, frames_of, spoken, strides_of
from whit.models.recompute_batch_norms import batch_norms

FRAME_S = 0.01


@torch.no_grad()
def norm_divergences(model: CtcModel, batches: Iterable[FeatureBatch]) -> NDArray[np.float64]:
    """Returns the published loss of each batch norm in order of the modules, (norms,), meaned over batches.

    Args:
        model: in evaluation mode, its batch norms not folded.
        batches: frames of padding do not count.
    """
    found: dict[nn.Module, list[float]] = {norm: [] for norm in batch_norms(model)}
    lengths: dict[int, Tensor] = {}

    def watch(norm: Any, arguments: tuple[Any, ...]) -> None:
        x = spoken(norm_input(arguments[0], norm), lengths)
        if len(x) < 2:  # one frame has no deviation
            return
        divergence = gaussian_divergence(norm.running_mean, norm.running_var, x.mean(0), x.var(0))
        found[norm].append(float(divergence.mean()))

    handles = [norm.register_forward_pre_hook(watch) for norm in found]
    try:
        for features, num_frames in batches:
            lengths = frames_of(features.shape[1], num_frames, strides_of(model))
            model(features, num_frames)
    finally:
        for handle in handles:
            handle.remove()
    return np.array([np.mean(values) if values else np.nan for values in found.values()])


def plot_inputs(
    path: Path,
    spectrograms: Mapping[str, NDArray[np.float32]],
    divergences: Mapping[str, NDArray[np.float64]],
) -> None:
    """Writes a picture.

    Args:
        path: of the picture; its ending says the format.
        spectrograms: normalised features (frames, num_mels), by what they are.
        divergences: of each batch norm (norms,), by the same names or others.
    """
    figure = Figure(figsize=(11, 6), layout="constrained")
    canvas: Callable[[Figure], Any] = FigureCanvasAgg
    canvas(figure)
    grid = figure.add_gridspec(2, len(spectrograms))
    for column, (name, features) in enumerate(spectrograms.items()):
        axes = figure.add_subplot(grid[0, column])
        extent = (0.0, len(features) * FRAME_S, 0.0, float(features.shape[1]))
        image = axes.imshow(features.T, origin="lower", aspect="auto", extent=extent, vmin=-3, vmax=3)
        axes.set(title=name, xlabel="s", ylabel="mel")
        if column + 1 == len(spectrograms):
            figure.colorbar(image, ax=axes, label="deviations")
    axes = figure.add_subplot(grid[1, :])
    for name, values in divergences.items():
        axes.semilogy(np.arange(len(values)), values, marker=".", label=name)
    axes.set(xlabel="batch norm", ylabel="divergence from its statistics, nats")
    axes.legend()
    figure.savefig(path)
