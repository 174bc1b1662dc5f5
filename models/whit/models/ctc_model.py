"""Models without a prediction network: an encoder over whole utterances and one linear layer.

With the head "ctc" the layer gives logits of the tokens and, last, the blank; with "frames" a class of every
frame (voice activity); with "pooled" one class of the utterance (keyword spotting).
"""

import torch
from torch import Tensor, nn

from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conformer_ctc_encoder import OfflineConformerEncoder
from whit.models.conv_config import ConvConfig
from whit.models.conv_encoder import ConvEncoder
from whit.models.greedy import Emission, collapse_ctc
from whit.models.linear import Linear

CtcModelConfig = ConvConfig | ConformerCtcConfig


def make_encoder(config: CtcModelConfig, dropout: float) -> ConvEncoder | OfflineConformerEncoder:
    """Returns the encoder of a configuration; `dropout` is a Conformer's, blocks name their own."""
    if isinstance(config, ConvConfig):
        return ConvEncoder(config)
    return OfflineConformerEncoder(config, dropout)


class CtcModel(nn.Module):
    """Encoder and output layer."""

    def __init__(self, config: CtcModelConfig, num_tokens: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.blank = num_tokens
        self.encoder = make_encoder(config, dropout)
        self.decoder = Linear(config.encoder_size, num_tokens + (config.head == "ctc"))

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits and the frames of each utterance in them.

        Args:
            features: normalised (`normalize_features`), float32 (batch, frames, num_mels).
            num_frames: int64, (batch,), of each utterance.

        Returns:
            (batch, frames', outputs) and int64 (batch,); with the head "pooled" (batch, 1, outputs) and ones:
            the mean of an utterance's frames without padding (NeMo's takes padding with it).
        """
        encoded, lengths = self.encoder(features, num_frames)
        if self.config.head == "pooled":
            present = torch.arange(encoded.shape[1], device=encoded.device) < lengths[:, None]
            total = (encoded * present.unsqueeze(2)).sum(1, keepdim=True)
            encoded = total / lengths.clamp(min=1)[:, None, None]
            lengths = torch.ones_like(lengths)
        return self.decoder(encoded), lengths


@torch.no_grad()
def greedy_ctc(model: CtcModel, features: Tensor, num_frames: Tensor) -> list[list[Emission]]:
    """Returns the emissions of each utterance by CTC's rule: repeats count once, blanks not at all.

    Args:
        model: in evaluation mode, its head "ctc".
        features: normalised, (batch, frames, mels).
        num_frames: int64, (batch,).
    """
    logits, lengths = model(features, num_frames)
    return collapse_ctc(logits.argmax(-1), lengths, model.blank)
