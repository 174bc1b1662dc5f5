"""The loss of a batch: transducer, CTC, or both; and what a float model teaches."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from whit.models.batch import Batch
from whit.models.ctc_alignment import lattice_band, tokens_by_frame
from whit.models.distillation import lattice_divergence, nodes_present
from whit.models.rnnt import Rnnt
from whit.models.transducer_loss import transducer_loss

if TYPE_CHECKING:
    from whit.models.recipe import OptimizationConfig

FORBIDDEN = -1e4  # a logit of no probability, yet finite: infinite ones would give no gradient


def batch_loss(
    model: Rnnt, batch: Batch, config: "OptimizationConfig", teacher: Rnnt | None = None
) -> Tensor:
    """Returns the mean loss of a batch, nats per utterance.

    CTC (Graves et al., 2006) is taken of the joint with nothing from the prediction network, so it trains the
    encoder and the joint's output of the very model that the transducer loss goes on with.

    Args:
        model: in training mode; its output (encoded frames, joint logits) may be bfloat16 under autocast.
        batch: features and targets.
        config: `loss`, `ctc_weight`, `fastemit`, `history_noise`, `text_weight`, `distill_weight`.
        teacher: in evaluation mode; what `distill_weight` of the transducer's loss is learnt from.
    """
    encoded, _ = model.encode(batch.features)
    factor = model.config.subsampling_factor
    lengths = (batch.num_frames + factor - 1) // factor
    loss = encoded.new_zeros((), dtype=torch.float32)
    ctc_share = 1.0 if config.loss == "ctc" else config.ctc_weight
    has_band = config.loss == "transducer" and (config.band_behind > 0 or config.band_ahead > 0)
    ctc_logits = model.ctc_logits(encoded) if ctc_share > 0 or has_band else None
    if ctc_logits is not None and ctc_share > 0:
        loss = loss + ctc_share * ctc_loss(ctc_logits, batch, lengths, blank=model.blank)
    if config.loss == "transducer":
        band = None
        if ctc_logits is not None and has_band:
            band = band_around_ctc(ctc_logits.detach(), batch, lengths, config, blank=model.blank)
        older = noisy_history(batch, config.history_noise) if config.history_noise > 0 else None
        logits = model.lattice(encoded, batch.targets, band, older).float()
        losses = transducer_loss(
            logits,
            batch.targets,
            lengths,
            batch.num_targets,
            blank=model.blank,
            windows=batch.windows,
            first_node=band[0] if band else None,
            fastemit=config.fastemit,
        )
        loss = loss + losses.mean()
        if teacher is not None:
            with torch.no_grad():
                known = teacher.lattice(teacher.encode(batch.features)[0], batch.targets, band)
            present = nodes_present(batch, lengths, logits.shape, band[0] if band else None)
            loss = loss + config.distill_weight * lattice_divergence(known, logits, present)
    if batch.text is not None:
        loss = loss + config.text_weight * batch.text_weight * text_loss(model, batch.text)
    return loss


def text_loss(model: Rnnt, text: Tensor) -> Tensor:
    """Returns the mean loss of rows of text, nats per row, of the joint with nothing from the encoder.

    So the prediction network and the joint that recognise are a language model too (internal language model
    training; Meng et al., 2021, arXiv 2102.01380), and learn words that no recording has.

    Args:
        model: any mode.
        text: int64, (rows, tokens).
    """
    logits = model.text_logits(model.predict_nodes(text[:, :-1])).float()
    losses = functional.cross_entropy(logits.flatten(0, 1), text.flatten(), reduction="sum")
    return losses / len(text)


def noisy_history(batch: Batch, chance: float) -> Tensor:
    """Returns the targets, int64 (batch, tokens), each by chance replaced by any token that the batch speaks.

    At recognition the prediction network hears what was recognised. Where many tokens are wrong, one that
    has only heard true ones is trusted too much (exposure bias; Bengio et al., 2015, arXiv 1506.03099).
    """
    spoken = batch.targets[torch.arange(batch.targets.shape[1]) < batch.num_targets[:, None]]
    others = spoken[torch.randint(len(spoken), batch.targets.shape)]
    return torch.where(torch.rand(batch.targets.shape) < chance, others, batch.targets)


def band_around_ctc(
    logits: Tensor, batch: Batch, lengths: Tensor, config: "OptimizationConfig", *, blank: int
) -> tuple[Tensor, int]:
    """Returns first nodes (batch, frames) and width of the band around the model's CTC alignment."""
    log_probs = logits.float().log_softmax(-1)
    counts = tokens_by_frame(log_probs, batch.targets, lengths, batch.num_targets, blank=blank)
    nodes = batch.targets.shape[1] + 1
    return lattice_band(counts, behind=config.band_behind, ahead=config.band_ahead, nodes=nodes)


def ctc_loss(
    logits: Tensor, batch: Batch, lengths: Tensor, *, blank: int, windows: Tensor | None = None
) -> Tensor:
    """Returns the mean CTC loss, nats per utterance; one too short for its targets counts nothing.

    Args:
        logits: (batch, frames, tokens + 1).
        batch: its targets.
        lengths: int64, (batch,), frames of each.
        blank: id.
        windows: first and last frame of each target, int64 (batch, targets, 2): only the frames of a token's
            windows may emit it, which tells a model from its first step where words are.
    """
    logits = logits.float()
    outside = None
    if windows is not None:
        # A path's probability is that of staying inside the windows, times that among what they allow.
        # torch's CTC has the right gradient for probabilities with a sum of one only.
        free = logits
        logits = free.masked_fill(~tokens_allowed(batch, windows, free.shape), FORBIDDEN)
        present = torch.arange(free.shape[1]) < lengths[:, None]
        outside = ((free.logsumexp(-1) - logits.logsumexp(-1)) * present).sum(1)
    losses = functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        batch.targets,
        lengths,
        batch.num_targets,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )
    if outside is not None:
        losses = torch.where(losses < -FORBIDDEN / 2, losses, 0.0) + outside
    return losses.mean()


def tokens_allowed(batch: Batch, windows: Tensor, shape: torch.Size) -> Tensor:
    """Returns whether a frame may emit a token, bool (batch, frames, tokens + 1); the blank, last, always.

    Args:
        batch: its targets.
        windows: first and last frame of each target, int64 (batch, targets, 2).
        shape: of the result.
    """
    frame = torch.arange(shape[1])[:, None]
    present = torch.arange(windows.shape[1]) < batch.num_targets[:, None]  # (batch, targets)
    inside = (frame >= windows[:, None, :, 0]) & (frame <= windows[:, None, :, 1]) & present[:, None]
    count = torch.zeros(shape, dtype=torch.uint8)
    count.scatter_add_(2, batch.targets[:, None].expand_as(inside), inside.to(torch.uint8))
    allowed = count > 0
    allowed[..., -1] = True
    return allowed
