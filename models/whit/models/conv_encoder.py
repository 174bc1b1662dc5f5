"""The encoder of Jasper (Li et al., 2019) and QuartzNet (Kriman et al., 2020), as NeMo's `ConvASREncoder`.

Everything inside is (batch, channels, frames), in memory frame after frame: torch trains depthwise
convolutions more than twice as fast so on a CPU. With `conv_mask`, frames past an utterance's length are zero
at the input of every convolution, so an utterance's result does not depend on what it is batched with.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.batch_norm import BatchNorm1d
from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.dropout import Dropout

EPSILON = 1e-3  # NeMo's, of every batch norm of a block


def zero_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Returns x (batch, channels, frames) with zeros from each utterance's length (batch,) on."""
    return x * (torch.arange(x.shape[2], device=x.device) < lengths[:, None]).unsqueeze(1)


class MaskedConv1d(nn.Conv1d):
    """A convolution without bias whose input is zero past each utterance's length."""

    def __init__(self, inputs: int, outputs: int, block: ConvBlockConfig | None, *, groups: int = 1) -> None:
        """Makes the convolution of a block, or with None one over the channels of single frames."""
        kernel_size, stride, padding, dilation = (
            (block.kernel_size, block.stride, block.padding, block.dilation) if block else (1, 1, 0, 1)
        )
        super().__init__(inputs, outputs, kernel_size, stride, padding, dilation, groups=groups, bias=False)
        self.masked = True
        nn.init.xavier_uniform_(self.weight)
        if groups > 1:
            # Near the identity: random taps of all layers together would mix the frames of a whole utterance.
            with torch.no_grad():
                self.weight[:, :, kernel_size // 2] += 1.0

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # masked
        """Returns (batch, outputs, frames') and the lengths that belong to it.

        Args:
            x: (batch, inputs, frames).
            lengths: int64, (batch,).
        """
        if self.masked:
            x = zero_padding(x, lengths)
        # Kernel sizes are odd, so the padding keeps the length at stride 1.
        return self._convolve(x), (lengths - 1) // self.stride[0] + 1

    def _convolve(self, x: Tensor) -> Tensor:
        """Returns (batch, outputs, frames') of (batch, inputs, frames).

        A dilation of d convolves every d-th frame with its like: as d utterances without dilation, which
        torch does far faster where each channel stands by itself.
        """
        batch, frames = x.shape[0], x.shape[2]
        phases = self.dilation[0]
        if phases > 1:
            x = functional.pad(x, (0, -frames % phases)).transpose(1, 2)
            x = x.reshape(batch, -1, phases, self.in_channels).transpose(1, 2)
            x = x.flatten(0, 1).transpose(1, 2)
        y = functional.conv2d(
            x.unsqueeze(2),
            self.weight.unsqueeze(2),
            self.bias,
            (1, self.stride[0]),
            (0, (self.kernel_size[0] - 1) // 2),
            groups=self.groups,
        ).squeeze(2)
        if phases > 1:
            y = y.transpose(1, 2).reshape(batch, phases, -1, self.out_channels).transpose(1, 2)
            y = y.flatten(1, 2)[:, :frames].transpose(1, 2)
        return y


class ConvUnit(nn.Module):
    """A convolution, separable or whole, and a batch norm."""

    def __init__(self, inputs: int, block: ConvBlockConfig) -> None:
        super().__init__()
        if block.separable:
            self.depthwise = MaskedConv1d(inputs, inputs, block, groups=inputs)
            self.pointwise = MaskedConv1d(inputs, block.filters, None)
        else:
            self.conv = MaskedConv1d(inputs, block.filters, block)
        self.separable = block.separable
        self.norm = BatchNorm1d(block.filters, epsilon=EPSILON)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, filters, frames') and its lengths."""
        if self.separable:
            x, lengths = self.depthwise(x, lengths)
            x, lengths = self.pointwise(x, lengths)
        else:
            x, lengths = self.conv(x, lengths)
        return self.norm(x), lengths


class Residual(nn.Module):
    """The way around a block: one convolution over the channels and a batch norm."""

    def __init__(self, inputs: int, block: ConvBlockConfig) -> None:
        super().__init__()
        shape = ConvBlockConfig(filters=block.filters, kernel_size=1, stride=block.stride)
        self.conv = MaskedConv1d(inputs, block.filters, shape)
        self.norm = BatchNorm1d(block.filters, epsilon=EPSILON)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Returns (batch, filters, frames')."""
        y: Tensor = self.norm(self.conv(x, lengths)[0])
        return y


class ConvBlock(nn.Module):
    """Repeated units with ReLU and dropout between them; residuals are added before the last ReLU."""

    def __init__(self, inputs: int, residual_inputs: list[int], block: ConvBlockConfig) -> None:
        super().__init__()
        sizes = [inputs] + [block.filters] * (block.repeat - 1)
        self.units = nn.ModuleList(ConvUnit(size, block) for size in sizes)
        self.residuals = nn.ModuleList(Residual(size, block) for size in residual_inputs)
        self.dropout = Dropout(block.dropout)

    def forward(self, x: Tensor, around: list[Tensor], lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, filters, frames') and its lengths.

        Args:
            x: input of the block, (batch, inputs, frames).
            around: input of each residual.
            lengths: int64, (batch,), of all of them.
        """
        y, after = x, lengths
        for i, unit in enumerate(self.units):
            if i:
                y = self.dropout(y.relu())
            y, after = unit(y, after)
        for residual, source in zip(self.residuals, around, strict=True):
            y = y + residual(source, lengths)
        return self.dropout(y.relu()), after


class ConvEncoder(nn.Module):
    """Blocks one after another; dense ones see the inputs of all dense blocks before them."""

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        self.config = config
        blocks, inputs, panes = [], config.num_mels, list[int]()
        for block in config.blocks:
            if block.residual_dense:
                panes = [*panes, inputs]
            around = panes if block.residual_dense else [inputs] * block.residual
            blocks.append(ConvBlock(inputs, around, block))
            inputs = block.filters
        self.blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, MaskedConv1d):
                module.masked = config.conv_mask

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (batch, frames', encoder_size) and the frames of each utterance in it.

        Args:
            features: normalised, (batch, frames, num_mels).
            num_frames: int64, (batch,).
        """
        x, lengths = features.transpose(1, 2), num_frames
        earlier: list[Tensor] = []  # inputs of the dense blocks so far
        for block, config in zip(self.blocks, self.config.blocks, strict=True):
            if config.residual_dense:
                earlier = [*earlier, x]
            around = earlier if config.residual_dense else [x] * config.residual
            x, lengths = block(x, around, lengths)
        return x.transpose(1, 2), lengths
