"""A streaming transducer: an LSTM or Conformer encoder, a prediction network, a joint.

Tensor names are those of docs/format.md, section 5. The blank is the last output and, as an embedding of
zeros, the start symbol. Every part takes and returns its state, so a stream in chunks equals the whole.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_encoder import ConformerEncoder, ConformerState
from whit.models.errors import ModelConfigError
from whit.models.linear import Linear
from whit.models.lstm import LSTM
from whit.models.lstm_encoder import Encoder
from whit.models.rnnt_config import RnntConfig
from whit.models.transducer_config import TransducerConfig

State = tuple[
    Tensor, Tensor
]  # LSTM stacks: h, c (layers, batch, hidden). Stateless predictor: context ids, empty.
EncoderState = State | ConformerState


class Embedding(nn.Module):
    """Token vectors; the blank, one past the last token, is all zeros and not a parameter."""

    def __init__(self, tokens: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens, size) * 0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns (..., size) for token ids (...,)."""
        weight = self.weight
        return functional.embedding(tokens, torch.cat((weight, weight.new_zeros(1, weight.shape[1]))))


class LstmPredictor(nn.Module):
    """Prediction network with a memory of the whole token history."""

    def __init__(self, config: TransducerConfig, num_tokens: int, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.dropout = dropout
        self.embedding = Embedding(num_tokens, config.embedding)
        sizes = [config.embedding] + [config.predictor_hidden] * (config.predictor_layers - 1)
        self.lstm = nn.ModuleList(LSTM(size, config.predictor_hidden) for size in sizes)

    def streaming_state(self, batch: int) -> State:
        """Returns the state before the first token: zeros, (layers, batch, hidden) twice."""
        shape = (self.config.predictor_layers, batch, self.config.predictor_hidden)
        return torch.zeros(shape), torch.zeros(shape)

    @staticmethod
    def beside(states: Sequence[State]) -> State:
        """Returns states of one batch each as the state of one large batch."""
        h, c = zip(*states, strict=True)
        return torch.cat(h, 1), torch.cat(c, 1)

    def choose(self, advanced: Tensor, after: State, before: State) -> State:
        """Returns `after` for the utterances of the mask `advanced` (batch,) and `before` for the others."""
        mask = advanced[None, :, None]
        return torch.where(mask, after[0], before[0]), torch.where(mask, after[1], before[1])

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns (batch, steps, hidden) for tokens (batch, steps), and the next state."""
        x = functional.dropout(self.embedding(tokens), self.dropout, self.training).transpose(0, 1)
        h, c = [], []
        for i, layer in enumerate(self.lstm):
            x, (h_i, c_i) = layer(x, (state[0][i], state[1][i]))
            x = functional.dropout(x, self.dropout, self.training)
            h.append(h_i)
            c.append(c_i)
        return x.transpose(0, 1), (torch.stack(h), torch.stack(c))


class StatelessPredictor(nn.Module):
    """Prediction network that sees the last `context` tokens only."""

    def __init__(self, config: TransducerConfig, num_tokens: int, dropout: float) -> None:
        super().__init__()
        self.context = config.context
        self.dropout = dropout
        self.blank = num_tokens
        self.embedding = Embedding(num_tokens, config.embedding)
        self.linear = Linear(config.context * config.embedding, config.predictor_hidden)

    def streaming_state(self, batch: int) -> State:
        """Returns the last `context - 1` token ids, all blank, (batch, context - 1), and an empty tensor."""
        return torch.full((batch, self.context - 1), self.blank), torch.empty(0)

    @staticmethod
    def beside(states: Sequence[State]) -> State:
        """Returns states of one batch each as the state of one large batch."""
        return torch.cat([history for history, _ in states]), states[0][1]

    def choose(self, advanced: Tensor, after: State, before: State) -> State:
        """Returns `after` for the utterances of the mask `advanced` (batch,) and `before` for the others."""
        return torch.where(advanced[:, None], after[0], before[0]), after[1]

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns (batch, steps, hidden) for tokens (batch, steps), and the next state."""
        history = torch.cat((state[0], tokens), 1)
        windows = history.unfold(1, self.context, 1)  # (batch, steps, context), oldest first
        x = functional.dropout(self.embedding(windows).flatten(2), self.dropout, self.training)
        return self.linear(x).relu(), (history[:, tokens.shape[1] :], state[1])


FIRST_BLANK_BIAS = 3.0  # most frames emit nothing; the first steps need not be spent learning that


class Joint(nn.Module):
    """Sum of both projections, ReLU, output layer."""

    def __init__(self, config: TransducerConfig, num_tokens: int) -> None:
        super().__init__()
        self.encoder = Linear(config.encoder_size, config.joint_hidden)
        self.predictor = Linear(config.predictor_hidden, config.joint_hidden, bias=False)
        self.output = Linear(config.joint_hidden, num_tokens + 1)
        for projection in (self.encoder, self.predictor):
            nn.init.xavier_uniform_(projection.weight, gain=2.0)  # LSTM outputs are small
        with torch.no_grad():
            self.output.bias[num_tokens] = FIRST_BLANK_BIAS

    def forward(self, encoded: Tensor, predicted: Tensor) -> Tensor:
        """Returns logits (..., tokens + 1) of projected frames and tokens of shapes that broadcast."""
        logits: Tensor = self.output((encoded + predicted).relu())
        return logits


def make_encoder(config: TransducerConfig, dropout: float) -> Encoder | ConformerEncoder:
    """Returns the encoder that a configuration describes."""
    if isinstance(config, ConformerConfig):
        return ConformerEncoder(config, dropout)
    if isinstance(config, RnntConfig):
        return Encoder(config, dropout)
    raise ModelConfigError(f"[model] expected an RNN-T or a Conformer, received {type(config).__name__}")


class Rnnt(nn.Module):
    """The whole model.

    Args:
        config: sizes.
        num_tokens: tokens without the blank; the blank's id is `num_tokens`.
        dropout: on the outputs of layers, in training.
    """

    def __init__(self, config: TransducerConfig, num_tokens: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.num_tokens = num_tokens
        self.blank = num_tokens
        self.encoder = make_encoder(config, dropout)
        predictor = LstmPredictor if config.predictor == "lstm" else StatelessPredictor
        self.predictor = predictor(config, num_tokens, dropout)
        self.joint = Joint(config, num_tokens)
        self.predictor_gain = 1.0  # of predictions in `predict_nodes` alone

    def streaming_state(self, batch: int = 1) -> EncoderState:
        """Returns the encoder's state before the first frame: zeros."""
        return self.encoder.streaming_state(batch)

    def encode(self, features: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """Returns projected frames (batch, frames / subsampling_factor, joint_hidden) and the next state.

        Args:
            features: log-mel, (batch, frames, num_mels), frames a multiple of the config's `frame_multiple`.
            state: from `streaming_state` or the call before; None starts afresh.
        """
        x, state = self.encoder(features, state or self.streaming_state(features.shape[0]))
        return self.joint.encoder(x), state

    def predict(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Returns projected predictions (batch, steps, joint_hidden) after each token, and the next state."""
        x, state = self.predictor(tokens, state or self.predictor.streaming_state(tokens.shape[0]))
        return self.joint.predictor(x), state

    def ctc_logits(self, encoded: Tensor) -> Tensor:
        """Returns logits (batch, frames, tokens + 1) of projected frames alone, for CTC."""
        logits: Tensor = self.joint.output(encoded.relu())
        return logits

    def text_logits(self, predicted: Tensor) -> Tensor:
        """Returns logits (batch, steps, tokens), no blank, of projected predictions: a language model."""
        logits: Tensor = self.joint.output(predicted.relu())
        return logits[..., : self.blank]

    def predict_nodes(self, targets: Tensor, older: Tensor | None = None) -> Tensor:
        """Returns projected predictions (batch, tokens + 1, joint_hidden) before and after each target.

        They are `predictor_gain` times those of `predict`. A model trained with a gain above 1 is recognised
        with less of its prediction network, whose text it knows better than that of other speakers.

        Args:
            targets: int64 (batch, tokens).
            older: of that shape: what every node but a token's own heard in its place; None: the targets.
        """
        start = torch.full((targets.shape[0], 1), self.blank)
        tokens = torch.cat((start, targets), 1)
        if older is None:
            return self.predict(tokens)[0] * self.predictor_gain
        states = [self.predictor.streaming_state(len(targets))]
        for token in torch.cat((start, older[:, :-1]), 1).T:
            states.append(self.predictor(token[:, None], states[-1])[1])
        last, _ = self.predict(tokens.T.reshape(-1, 1), self.predictor.beside(states))
        return last.reshape(tokens.shape[1], len(tokens), -1).transpose(0, 1) * self.predictor_gain

    def lattice(
        self,
        encoded: Tensor,
        targets: Tensor,
        band: tuple[Tensor, int] | None = None,
        older: Tensor | None = None,
    ) -> Tensor:
        """Returns logits of the lattice, (batch, frames, tokens + 1, vocabulary + 1), for the loss.

        Args:
            encoded: from `encode`, (batch, frames, joint_hidden).
            targets: int64 (batch, tokens).
            band: first node of each frame (batch, frames) and the number of nodes, which replaces tokens + 1.
            older: as of `predict_nodes`.
        """
        predicted = self.predict_nodes(targets, older)
        if band is None:
            predicted = predicted.unsqueeze(1)
        else:
            first, width = band
            batch, nodes, _ = predicted.shape
            node = first.unsqueeze(2) + torch.arange(width) + nodes * torch.arange(batch)[:, None, None]
            # Not predicted[...]: the gradient of an embedding is far faster than that of an index.
            predicted = functional.embedding(node, predicted.flatten(0, 1))
        logits: Tensor = self.joint(encoded.unsqueeze(2), predicted)
        return logits

    def forward(self, features: Tensor, targets: Tensor) -> Tensor:
        """Returns `lattice` of features (batch, frames, num_mels) and targets int64 (batch, tokens)."""
        encoded, _ = self.encode(features)
        return self.lattice(encoded, targets)
