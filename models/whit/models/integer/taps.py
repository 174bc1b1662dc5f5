"""Where the values with a scale arise in a float model: the table of docs/format.md, section 10, as hooks.

One list serves both calibration, which watches the values, and simulation, which rounds them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import ConvConfig
from whit.models.ctc_model import CtcModel
from whit.models.integer.kinds import SIGNED, UNSIGNED, WIDE, Kind

SINUSOIDS, SINUSOID_SCALE = "sinusoids", 1 / 127  # the one scale that is no model's

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tap:
    """One place in a model.

    Attributes:
        module: whose first argument or result (the first, of several) is meant.
        side: "input" or "output".
        name: of its scale.
        kind: of its values.
        frames: axis of the frames, None where rows are no frames.
        transform: what the values are before they have that scale.
        watched: calibration sees it.
        rounded: simulation rounds it: to the kind's codes, or, where `clamped` is false, to whole steps only.
        step: scales in one step: a sum's term that is multiplied afterwards.
    """

    module: nn.Module
    side: Literal["input", "output"]
    name: str
    kind: Kind
    frames: int | None
    transform: Transform | None = None
    watched: bool = True
    rounded: bool = True
    clamped: bool = True
    step: float = 1.0


def taps_of(model: CtcModel) -> list[Tap]:
    """Returns the places of a model's values; batch norms may be folded or not."""
    config = model.config
    features = Tap(module=model.encoder, side="input", name="features", kind=SIGNED, frames=1)
    inside = _conv_taps(model, config) if isinstance(config, ConvConfig) else _conformer_taps(model, config)
    # The mean over frames commutes with the decoder: what has a scale are the logits of frames.
    pooled = config.head == "pooled"
    logits = Tap(
        module=model.encoder if pooled else model.decoder,
        side="output",
        name="decoder",
        kind=WIDE,
        frames=1,
        transform=model.decoder.forward if pooled else None,
        rounded=not pooled,
    )
    return [features, *inside, logits]


def _conv_taps(model: CtcModel, config: ConvConfig) -> list[Tap]:
    taps = []
    for b, shape in enumerate(config.blocks):
        block: Any = model.encoder.get_submodule(f"blocks.{b}")
        for r, unit in enumerate(block.units):
            name = f"encoder.blocks.{b}.units.{r}"
            if shape.separable:
                taps.append(
                    Tap(module=unit.depthwise, side="output", name=f"{name}.depthwise", kind=SIGNED, frames=2)
                )
            last = r + 1 == shape.repeat
            taps.append(
                Tap(
                    module=unit,
                    side="output",
                    name=name,
                    kind=UNSIGNED,
                    frames=2,
                    transform=None if last else torch.relu,
                    watched=not last,
                    clamped=not last,
                )
            )
        for residual in block.residuals:
            taps.append(
                Tap(
                    module=residual,
                    side="output",
                    name=name,
                    kind=UNSIGNED,
                    frames=2,
                    watched=False,
                    clamped=False,
                )
            )
        taps.append(Tap(module=block, side="output", name=name, kind=UNSIGNED, frames=2))
    return taps


def _conformer_taps(model: CtcModel, config: ConformerCtcConfig) -> list[Tap]:
    encoder: Any = model.encoder
    conv = encoder.pre_encode.conv
    taps = [
        Tap(
            module=conv[i],
            side="output",
            name=f"encoder.pre_encode.conv.{i}",
            kind=UNSIGNED,
            frames=2,
            transform=torch.relu,
        )
        for i in ("0", "2")
    ]
    for i, layer in enumerate(encoder.layers):
        before = encoder.layers[i - 1].norm_out if i else encoder.pre_encode.out
        step = 1.0 if i else 1 / encoder.scale
        taps += _layer_taps(layer, f"encoder.layers.{i}", before, step)
    last = encoder.layers[config.layers - 1].norm_out
    return [*taps, Tap(module=last, side="output", name="encoder.norm_out", kind=SIGNED, frames=1)]


def _layer_taps(layer: Any, name: str, before: nn.Module, step: float) -> list[Tap]:
    """Returns the places of one Conformer layer.

    Args:
        layer: the layer.
        name: its own.
        before: the module whose result the layer is given.
        step: of that result, in scales of the layer's stream.
    """

    def at(module: nn.Module, side: Literal["input", "output"], place: str, **more: Any) -> Tap:
        options = {"kind": SIGNED, "frames": 1, **more}
        return Tap(module=module, side=side, name=f"{name}.{place}", **options)

    def stream(module: nn.Module, side: Literal["input", "output"], **more: Any) -> Tap:
        return at(module, side, "stream", kind=WIDE, **more)

    attention, convolution = layer.self_attn, layer.conv

    def with_biases(q: Tensor) -> Tensor:
        u, w = attention.pos_bias_u.flatten(), attention.pos_bias_v.flatten()
        return torch.cat((q + u, q + w), -1)

    halves = [(layer.feed_forward1, 2.0), (layer.feed_forward2, 2.0), (attention, 1.0), (convolution, 1.0)]
    norms = ("norm_feed_forward1", "norm_self_att", "norm_conv", "norm_feed_forward2")
    taps = [stream(before, "output", watched=False, clamped=False, step=step)]
    taps += [stream(module, "output", watched=False, clamped=False, step=step) for module, step in halves]
    taps += [stream(getattr(layer, norm), "input", rounded=False) for norm in (*norms, "norm_out")]
    taps += [at(getattr(layer, norm), "output", norm) for norm in norms]
    for part in ("feed_forward1", "feed_forward2"):
        module = getattr(layer, part)
        taps.append(at(module.linear1, "output", f"{part}.linear1"))
        taps.append(at(module.linear2, "input", f"{part}.activation"))
    positions = Tap(
        module=attention.linear_pos, side="input", name=SINUSOIDS, kind=SIGNED, frames=None, watched=False
    )
    return [
        *taps,
        at(attention.linear_q, "output", "self_attn.linear_q", transform=with_biases, rounded=False),
        at(attention.linear_q, "output", "self_attn.linear_q", watched=False, clamped=False),
        at(attention.linear_k, "output", "self_attn.linear_k"),
        at(attention.linear_v, "output", "self_attn.linear_v"),
        positions,
        at(attention.linear_pos, "output", "self_attn.linear_pos", frames=None),
        at(attention.linear_out, "input", "self_attn.context"),
        at(convolution.pointwise_conv1, "output", "conv.pointwise_conv1"),
        at(convolution.depthwise_conv, "input", "conv.glu", frames=2),
        at(convolution.norm, "output", "conv.depthwise_conv"),
        at(convolution.pointwise_conv2, "input", "conv.activation"),
    ]


def scale_kinds(taps: Sequence[Tap]) -> dict[str, Kind]:
    """Returns the kind of every scale that a model's checkpoint names, in the order of the taps."""
    return {tap.name: tap.kind for tap in taps if tap.watched}


@contextmanager
def tapped(taps: Sequence[Tap], see: Callable[[Tap, Tensor], Tensor | None]) -> Iterator[None]:
    """Inside this context every tap's values go through `see`, and what it returns replaces them.

    Args:
        taps: some of `taps_of`.
        see: takes a tap and its transformed values; None leaves the model's values as they are.
    """
    handles = []
    for tap in taps:
        if tap.side == "input":
            handles.append(tap.module.register_forward_pre_hook(_before(tap, see)))
        else:
            handles.append(tap.module.register_forward_hook(_after(tap, see)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(tap: Tap, see: Callable[[Tap, Tensor], Tensor | None]) -> Callable[..., Any]:
    def hook(module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        new = see(tap, arguments[0] if tap.transform is None else tap.transform(arguments[0]))
        return None if new is None else (new, *arguments[1:])

    return hook


def _after(tap: Tap, see: Callable[[Tap, Tensor], Tensor | None]) -> Callable[..., Any]:
    def hook(module: nn.Module, arguments: tuple[Any, ...], result: Any) -> Any:
        x = result[0] if isinstance(result, tuple) else result
        new = see(tap, x if tap.transform is None else tap.transform(x))
        if new is None or not isinstance(result, tuple):
            return new
        return (new, *result[1:])

    return hook
