"""An encoder whose file fixes the number of frames, run chunk by chunk."""

from collections.abc import Mapping

import numpy as np

from whit.exporter.arithmetic import Array
from whit.exporter.verify import Traced


class ChunkedEncoder:
    """The encoder of a file with static shapes, for any number of encoder frames."""

    def __init__(self, encoder: Traced, *, chunk_frames: int, subsampling_factor: int) -> None:
        self.encoder, self.chunk_frames, self.subsampling_factor = encoder, chunk_frames, subsampling_factor
        self.file, self.graph = encoder.file, encoder.graph

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns encoder.projected of all frames; the last chunk is completed with zeros."""
        features = inputs["features"]
        num_frames = len(features)
        features = np.pad(features, ((0, -num_frames % self.chunk_frames), (0, 0)))
        states = {value.name: inputs[value.name] for value in self.graph.inputs[1:]}
        outputs = []
        for begin in range(0, num_frames, self.chunk_frames):
            chunk = features[begin : begin + self.chunk_frames]
            values = self.encoder.run({"features": chunk, **states})
            states = {name: values[f"{name}_next"] for name in states}
            outputs.append(values["encoder.projected"])
        return {"encoder.projected": np.concatenate(outputs)[: num_frames // self.subsampling_factor]}
