"""Distillation: a model learns what another says at the nodes of the lattice, beside what was spoken.

Panchapagesan et al., "Efficient knowledge distillation for RNN-Transducer models" (arXiv 2011.06110), who
keep three outputs of a node; here letters are few enough to keep all.
"""

import torch
from torch import Tensor

from whit.models.batch import Batch
from whit.models.errors import ShapeError


def nodes_present(batch: Batch, lengths: Tensor, shape: torch.Size, first_node: Tensor | None) -> Tensor:
    """Returns which nodes of a lattice or of a band belong to an utterance, bool (batch, frames, nodes).

    Args:
        batch: its targets.
        lengths: int64, (batch,), frames of each.
        shape: of the lattice's logits.
        first_node: int64, (batch, frames), of a band; None for the whole lattice.
    """
    _, frames, width, _ = shape
    node = torch.arange(width).expand(len(lengths), frames, width)
    if first_node is not None:
        node = node + first_node[:, :, None]
    is_frame = torch.arange(frames) < lengths[:, None]
    return is_frame[:, :, None] & (node <= batch.num_targets[:, None, None])


def lattice_divergence(teacher: Tensor, student: Tensor, present: Tensor) -> Tensor:
    """Returns KL(teacher || student), mean over a frame's nodes, summed over an utterance's frames, nats.

    Args:
        teacher: logits, (batch, frames, nodes, vocabulary); no gradient is taken of them.
        student: logits of the same shape.
        present: bool, (batch, frames, nodes); the others count nothing.

    Returns:
        A scalar, the mean over the batch.

    Raises:
        ShapeError: shapes that differ.
    """
    if teacher.shape != student.shape or present.shape != student.shape[:-1]:
        raise ShapeError(
            f"[distillation] expected logits of one shape, received {tuple(teacher.shape)}, "
            f"{tuple(student.shape)} and nodes {tuple(present.shape)}"
        )
    known = teacher.detach().float().log_softmax(-1)
    divergence = (known.exp() * (known - student.float().log_softmax(-1))).sum(-1)
    of_frames = (divergence * present).sum(2) / present.sum(2).clamp(min=1)
    return of_frames.sum(1).mean()
