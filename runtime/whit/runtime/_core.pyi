# ruff: noqa
# Written by tools/make_stubs.py.
"""
The C++ core of whit: packed kernels, front-end, transducer search, native engine.
"""

from collections.abc import Sequence
import enum
from typing import Annotated

import numpy
from numpy.typing import NDArray

def exp(
    x: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(order="C")]:
    """
    Returns e^x of each value, clamped to [-87, 88] (docs/format.md, section 4).
    """

def log(
    x: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(order="C")]:
    """
    Returns the natural logarithm of each value; they must be positive and normal (docs/format.md, section 4).
    """

def tanh(
    x: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(order="C")]:
    """
    Returns the hyperbolic tangent of each value (docs/format.md, section 4).
    """

def sigmoid(
    x: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(order="C")]:
    """Returns 1 / (1 + e^-x) of each value (docs/format.md, section 4)."""

def sqrt(
    x: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(order="C")]:
    """
    Returns the correctly rounded square root of each value (docs/format.md, section 4).
    """

class ThreadPool:
    """Threads that sleep until a call that is given them shares its work."""

    def __init__(self, num_threads: int) -> None:
        """Starts num_threads - 1 threads: the caller's is the other one."""

    @property
    def num_threads(self) -> int: ...

def quantize_rows(
    a: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
) -> tuple[
    Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")],
]:
    """
    Returns the rows of a (M, K) as int8 (M, K) and their scales (M,) (docs/format.md, section 1).
    """

def packed_matmul(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)]
    | None,
    *,
    rows: int,
    cols: int,
    bits: int,
    layout: str,
    kernel: str | None = None,
    threads: ThreadPool | None = None,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns x W^T + bias (M, rows) for x (M, cols): operator PackedMatMul of docs/format.md, section 3.

    `kernel` is one of matmul_kernel_names(), by default the best; all give the same bits, and so does any number of threads.
    Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.
    """

def packed_lstm(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    h: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    c: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    w_data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    w_codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    w_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    r_data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    r_codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    r_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    input_size: int,
    hidden_size: int,
    w_bits: int,
    w_layout: str,
    r_bits: int,
    r_layout: str,
    threads: ThreadPool | None = None,
) -> tuple[
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
]:
    """
    Returns y (n * T, H) and the next h and c (n, H) of n streams with T frames each, by default one: operator PackedLSTM of docs/format.md, section 3.

    x is (n * T, input_size), the frames of one stream behind each other. Neither streams nor threads change a result.
    Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.
    """

def packed_lstmp(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    h: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    c: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    w_data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    w_codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    w_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    r_data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    r_codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    r_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    p_data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    p_codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    p_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    input_size: int,
    hidden_size: int,
    projection_size: int,
    w_bits: int,
    w_layout: str,
    r_bits: int,
    r_layout: str,
    p_bits: int,
    p_layout: str,
    threads: ThreadPool | None = None,
) -> tuple[
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
]:
    """
    Returns y (n * T, P) and the next h (n, P) and c (n, H) as packed_lstm does, of a layer with a projection: operator PackedLSTMP of docs/format.md, section 3.

    Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.
    """

def packed_embedding(
    token: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    rows: int,
    cols: int,
    bits: int,
    layout: str,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns the decoded rows (M, cols) of the tokens (M,): operator PackedEmbedding of docs/format.md, section 3.
    """

def affine(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    offset: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns x * scale + offset (M, N): operator Affine of docs/format.md, section 3.
    """

def add_relu(
    a: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    b: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns max(a + b, 0) (M, N) for b (1, N): operator AddRelu of docs/format.md, section 3.
    """

def matmul_kernel_names() -> list[str]:
    """Returns the names of the kernels that this processor can run."""

def isa_names() -> list[str]:
    """
    Returns the instruction sets that this processor can run, the best last: the values of WHIT_ISA.
    """

def cpu_features() -> list[tuple[str, bool, str | None]]:
    """
    Returns name, presence, and the instruction set that needs it (None where no kernel does), of what processors of this architecture may have; the least instruction set comes first.
    """

def chosen_isa() -> tuple[str, str]:
    """
    Returns the instruction set that kernels are chosen for, and why.

    Raises ValueError where the environment variable WHIT_ISA names none of isa_names().
    """

def selected_matmul_kernels() -> dict[str, str]:
    """
    Returns the kernel's name by layout and width, such as "E4".

    Raises ValueError as chosen_isa().
    """

def layer_norm(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    gain: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    epsilon: float,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns the rows of x (M, N) normalised: operator LayerNorm of docs/format.md, section 3.
    """

def add(
    a: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    b: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    *,
    scale: float,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns a + scale * b (M, N): operator Add of docs/format.md, section 3.
    """

def swish(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns x * sigmoid(x) (M, N): operator Swish of docs/format.md, section 3.
    """

def glu(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns (M, N) of x (M, 2N): operator Glu of docs/format.md, section 3.
    """

def depthwise_conv(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    cache: Annotated[
        NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ],
    weight: Annotated[
        NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ],
    bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
) -> tuple[
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
]:
    """
    Returns y (T, C) and the next cache (k-1, C): operator DepthwiseConv1d of docs/format.md, section 3.
    """

def relative_attention(
    q: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    k: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    v: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    cache: Annotated[
        NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ],
    p: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    u: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    w: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    heads: int,
) -> tuple[
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
]:
    """
    Returns y (T, d) and the next cache (left, 2d + 1): operator RelativeAttention of docs/format.md, section 3.
    """

def unfold2d(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    cache: Annotated[
        NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ],
    *,
    channels: int,
) -> tuple[
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
]:
    """
    Returns the patches (T/2 * F', 9C) and the next cache (2, FC): operator Unfold2d of docs/format.md, section 3.
    """

def requantize(
    a: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    multiplier: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    shift: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C")]:
    """
    Returns a (N,) times multiplier 2^-shift, int32: "requant" of docs/format.md, section 10.

    multiplier and shift have one value, or one for each of a.
    """

def quantize_features(
    x: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    *,
    inverse_scale: float,
    low: int,
    high: int,
) -> Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")]:
    """
    Returns x (T, N) as int8: operator QuantizeFeatures of docs/format.md, section 10.
    """

def dequantize_logits(
    x: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    *,
    scale: float,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Returns x (T, N) as float: operator DequantizeLogits of docs/format.md, section 10.
    """

def int_conv1d(
    x: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    bias: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    multiplier: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    shift: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    addend: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order="C", device="cpu", writable=False)]
    | None,
    *,
    rows: int,
    cols: int,
    bits: int,
    kernel_size: int,
    stride: int,
    dilation: int,
    padding: int,
    x_zero: int,
    y_zero: int,
    low: int,
    high: int,
    y_bits: int = 8,
    kernel: str | None = None,
    threads: ThreadPool | None = None,
) -> (
    tuple[Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")], int]
    | tuple[Annotated[NDArray[numpy.int16], dict(shape=(None, None), order="C")], int]
):
    """
    Returns y (T', rows), int8 or int16 by y_bits, and how many of its rows are the utterance's; the others are 0: operator IntConv1d of docs/format.md, section 10.

    `kernel` is one of matmul_kernel_names(), by default the best; all give the same bits, and so does any number of threads.
    Raises ValueError where sizes, shapes or values contradict the section.
    """

def int_depthwise_conv1d(
    x: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order="C", device="cpu", writable=False)],
    codebook: Annotated[
        NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ]
    | None,
    bias: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    multiplier: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    shift: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    rows: int,
    cols: int,
    bits: int,
    stride: int,
    dilation: int,
    padding: int,
    x_zero: int,
    y_zero: int,
    low: int,
    high: int,
    kernel: str | None = None,
    threads: ThreadPool | None = None,
) -> tuple[Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")], int]:
    """
    Returns y (T', rows) and its rows as int_conv1d: operator IntDepthwiseConv1d of docs/format.md, section 10.

    `kernel` is one of depthwise_kernel_names(), by default the best; all give the same bits.
    """

def depthwise_kernel_names() -> list[str]:
    """
    Returns the names of the depthwise kernels that this processor can run.
    """

def integer_sqrt(x: int) -> int:
    """Returns the square root of a 64-bit number, rounded down."""

def int_table(
    x: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    table: Annotated[NDArray[numpy.int8], dict(shape=(None,), order="C", device="cpu", writable=False)],
) -> Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")]:
    """
    Returns table[x + 128] (T, N): operator IntTable of docs/format.md, section 10.
    """

def int_glu(
    x: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    table: Annotated[NDArray[numpy.int16], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    multiplier: int,
    shift: int,
    low: int,
    high: int,
) -> Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")]:
    """
    Returns (T, N) of x (T, 2N): operator IntGlu of docs/format.md, section 10.
    """

def int_layer_norm(
    x: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    multiplier: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    shift: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    bias: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    *,
    epsilon: int,
    low: int,
    high: int,
    y_bits: int,
) -> (
    Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")]
    | Annotated[NDArray[numpy.int16], dict(shape=(None, None), order="C")]
):
    """
    Returns the rows of x (T, N) normalised, int8 or int16: operator IntLayerNorm of docs/format.md, section 10.
    """

def int_relative_attention(
    qu: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    qw: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    k: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    v: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    p: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    *,
    heads: int,
    content_multiplier: int,
    content_shift: int,
    position_multiplier: int,
    position_shift: int,
    result_multiplier: int,
    result_shift: int,
    low: int,
    high: int,
) -> Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")]:
    """
    Returns y (T, d): operator IntRelativeAttention of docs/format.md, section 10.
    """

def int_unfold2d(
    x: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
    *,
    channels: int,
    zero: int,
) -> tuple[Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")], int, int]:
    """
    Returns the patches (T'' F'', 9C), their valid rows and frames: operator IntUnfold2d of docs/format.md, section 10.
    """

def distance_rows(
    table: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C", device="cpu", writable=False)],
    length: int,
) -> tuple[Annotated[NDArray[numpy.int8], dict(shape=(None, None), order="C")], int]:
    """
    Returns the rows (2T - 1, d) of an utterance and how many: operator DistanceRows of docs/format.md, section 10.
    """

class Fbank:
    """
    Streaming log-mel features of 16 kHz audio, 25 ms windows every 10 ms (docs/format.md, section 7). The same bits for every cut of the audio into calls.
    """

    def __init__(self, flavour: str = "nemo", num_mels: int = 80) -> None:
        """
        flavour: "nemo" or "kaldi". num_mels: 1 to 256. Raises ValueError otherwise.
        """

    def accept_waveform(
        self,
        samples: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
    ) -> None:
        """
        Takes the next samples: float32 (n,) in [-1, 1], 16 kHz. Raises ValueError for one that is not finite or exceeds 1e6 (the stream stays as it was), RuntimeError after input_finished().
        """

    def input_finished(self) -> None:
        """Says that no more samples come."""

    @property
    def num_frames_ready(self) -> int:
        """Frames that read() can give now."""

    @property
    def num_mels(self) -> int: ...
    def read(
        self, max_frames: int = -1
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
        """
        The next frames, at most max_frames (-1: all that are ready): float32 (n, num_mels). Moves past them.
        """

    def reset(self) -> None:
        """Starts a new stream."""

def fbank(
    samples: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    flavour: str = "nemo",
    num_mels: int = 80,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
    """
    Log-mel features of a whole utterance: float32 (n,) at 16 kHz gives float32 ((n + 80) // 160, num_mels), the same bits as Fbank.
    """

class OfflineFbank:
    """
    Log-mel features of whole utterances at 16 kHz, a centred window every 10 ms (docs/format.md, section 7, nemo_offline).
    """

    def __init__(self, num_mels: int = 64, window_ms: int = 20, normalize: str = "per_feature") -> None:
        """
        num_mels: 1 to 256. window_ms: 1 to 32. normalize: "per_feature" or "none". Raises ValueError otherwise.
        """

    def compute(
        self,
        samples: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
        """
        The features of one utterance: float32 (n,) in [-1, 1], n at least 257, gives float32 (n // 160 + 1, num_mels). Raises ValueError for fewer samples and for one that is not finite or exceeds 1e6.
        """

    @property
    def num_mels(self) -> int: ...

class Resampler:
    """
    Streaming band-limited resampler. The same bits for every cut of the audio into calls.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int) -> None:
        """
        Rates from 1000 to 384000 Hz. Raises ValueError for others and for a ratio with no short filter table.
        """

    def process(
        self,
        samples: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")]:
        """
        Takes the next samples, float32 (n,), and returns those that are ready, float32 (m,). Raises ValueError for a sample that is not finite, RuntimeError after flush().
        """

    def flush(self) -> Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")]:
        """
        Ends the stream and returns the rest: in all ceil(n * out_rate_hz / in_rate_hz) samples for n.
        """

    def reset(self) -> None:
        """Starts a new stream."""

def resample(
    samples: Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)],
    in_rate_hz: int,
    out_rate_hz: int,
) -> Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")]:
    """
    A whole recording at another rate: float32 (n,) gives float32 (ceil(n * out_rate_hz / in_rate_hz),).
    """

class RequestKind(enum.Enum):
    """What a search asks its driver for."""

    PREDICT = 0
    """Run the predictor on `token`, then provide_prediction()."""

    JOIN = 1
    """Join encoder frame `frame` with the prediction, then provide_logits()."""

    IDLE = 2
    """All frames are searched."""

class Request:
    """One wish of a search."""

    @property
    def kind(self) -> RequestKind: ...
    @property
    def token(self) -> int:
        """PREDICT: the last emitted token, or the blank at the start; else -1."""

    @property
    def frame(self) -> int:
        """JOIN: the encoder frame, counted from the stream's start; else -1."""

class GreedySearch:
    """
    Greedy transducer search that asks for each predict and join and is fed the answer. A verb that was not asked for raises RuntimeError.
    """

    def __init__(self, blank: int, max_symbols: int = 10) -> None:
        """
        blank: its id, the last of the vocabulary. max_symbols: tokens one frame may emit, at least 1. Raises ValueError otherwise.
        """

    def accept_frames(self, num_frames: int) -> None:
        """Says that so many further encoder frames exist."""

    def next(self) -> Request:
        """What the search needs now; asking twice gives the same answer."""

    def provide_prediction(self) -> None:
        """Says that the predictor ran on the token that was asked for."""

    def provide_logits(
        self,
        logits: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
    ) -> None:
        """
        Takes the joiner's output, float32 (blank + 1,). A greatest blank ends the frame; another token is emitted, and ends the frame only as its max_symbols-th.
        """

    def set_forced(self, tokens: Sequence[int], frames: Sequence[int]) -> None:
        """
        Emits these tokens at these frames (not decreasing) and blanks elsewhere, whatever the logits say, so that a model of random weights does a trained one's work. Before the first logits; kept by reset().
        """

    def clear_forced(self) -> None:
        """Lets the logits decide again."""

    @property
    def tokens(self) -> list[int]:
        """Emitted tokens, list[int]."""

    @property
    def frames(self) -> list[int]:
        """The encoder frame of each token, list[int]."""

    @property
    def num_frames_done(self) -> int:
        """Encoder frames the driver may forget."""

    def reset(self) -> None:
        """Starts a new stream."""

class NativeModel:
    """
    A mapped model.tflite, run by our own engine; all state is explicit and float32.

    The calls named _batch run several streams together and read each weight once for up to eight of them; each stream's result is that of the single call.
    """

    def __init__(self, path: str, self_test: bool = True, num_threads: int = 1) -> None:
        """
        Maps and checks a file and, with self_test, computes its golden vectors. With num_threads above 1, others sleep until a call shares its work with them; results do not depend on it. Raises ValueError with one sentence for the first defect.
        """

    def encode(
        self,
        features: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        state: Sequence[
            Annotated[
                NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
            ]
        ],
    ) -> tuple[
        Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
        list[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]],
    ]:
        """
        One chunk: features (chunk_frames, num_mels) and the states in the order of the signature give encoder frames (T', joint_hidden) and the next states. Raises ValueError for other shapes.
        """

    def encode_batch(
        self,
        features: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None, None), order="C", device="cpu", writable=False)
        ],
        state: Sequence[
            Annotated[
                NDArray[numpy.float32],
                dict(shape=(None, None, None), order="C", device="cpu", writable=False),
            ]
        ],
    ) -> tuple[
        Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order="C")],
        list[Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order="C")]],
    ]:
        """
        One chunk of each of n streams: as encode, every array with a first axis of n.
        """

    def predict(
        self,
        token: int,
        h: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        c: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
    ) -> tuple[
        Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")],
        Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
        Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
    ]:
        """
        One token and the predictor's state give the prediction (joint_hidden,) and the next state. Raises ValueError for other shapes.
        """

    def predict_batch(
        self,
        tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order="C", device="cpu", writable=False)],
        h: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None, None), order="C", device="cpu", writable=False)
        ],
        c: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None, None), order="C", device="cpu", writable=False)
        ],
    ) -> tuple[
        Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")],
        Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order="C")],
        Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order="C")],
    ]:
        """
        One token of each of n streams: as predict, tokens int32 (n,), every array with a first axis of n.
        """

    def join(
        self,
        encoded: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
        predicted: Annotated[
            NDArray[numpy.float32], dict(shape=(None,), order="C", device="cpu", writable=False)
        ],
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None,), order="C")]:
        """
        An encoder frame and a prediction, both (joint_hidden,), give logits (tokens + 1,).
        """

    def join_batch(
        self,
        encoded: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
        predicted: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
        """
        A frame and a prediction of each of n streams, both (n, joint_hidden), give logits (n, tokens + 1).
        """

    @property
    def config(self) -> bytes:
        """The checkpoint's configuration, JSON in UTF-8."""

    @property
    def weights_sha256(self) -> str:
        """
        The digest that the file states for its data section; not checked at load.
        """

    @property
    def file_bytes(self) -> int:
        """Size of the mapped file."""

    @property
    def data_section_bytes(self) -> int:
        """Size of the file from its first array to its end."""

    @property
    def arena_bytes(self) -> int:
        """
        Working memory of any single call, allocated once; batches take eight times as much.
        """

class NativeOfflineModel:
    """
    A mapped model.tflite that takes whole utterances, run by our own engine.
    """

    def __init__(self, path: str, self_test: bool = True, num_threads: int = 1) -> None:
        """
        Maps and checks a file and, with self_test, computes its golden vectors. Results do not depend on num_threads. Raises ValueError with one sentence for the first defect.
        """

    def encode(
        self,
        features: Annotated[
            NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
        ],
    ) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order="C")]:
        """
        One utterance: features float32 (frames, num_mels), frames from 1 to max_frames, give logits float32 (frames', outputs). Raises ValueError for other shapes.
        """

    @property
    def config(self) -> bytes:
        """The checkpoint's configuration and max_frames, JSON in UTF-8."""

    @property
    def weights_sha256(self) -> str:
        """
        The digest that the file states for its data section; not checked at load.
        """

    @property
    def arena_bytes(self) -> int:
        """
        Working memory of the longest utterance; a shorter one touches less of it.
        """

def search_frames(
    logits: Annotated[
        NDArray[numpy.float32], dict(shape=(None, None), order="C", device="cpu", writable=False)
    ],
    head: str,
) -> tuple[list[int], list[int]]:
    """
    Tokens of a whole utterance and the frame of each, by head: "ctc" (repeats once, the last output is the blank), "frames" (the class of every run of frames) or "pooled" (the class of the mean). logits: float32 (frames, outputs), not empty. Raises ValueError otherwise.
    """
