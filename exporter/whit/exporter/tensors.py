"""What builders of graphs read of a checkpoint, whatever its architecture."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whit.exporter.quantized_matrix import QuantizedMatrix

Matrix = NDArray[np.float32] | QuantizedMatrix


class Tensors(Protocol):
    """The tensors of a checkpoint."""

    @property
    def matrices(self) -> Mapping[str, Matrix]:
        """What activations are multiplied by, (rows, cols)."""
        ...

    @property
    def vectors(self) -> Mapping[str, NDArray[np.float32]]:
        """Every other tensor, in its own shape."""
        ...
