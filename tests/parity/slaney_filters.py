"""Slaney's mel filters, as his Auditory Toolbox defines them."""

import numpy as np
from numpy.typing import NDArray


def slaney_filters(num_mels: int) -> NDArray[np.float64]:
    """Returns triangles of area 1 between equal mels up to 8 kHz, (num_mels, 257 bins of 16 kHz)."""
    mels = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), num_mels + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    hz = np.fft.rfftfreq(512, 1 / 16000)
    rows = [np.interp(hz, edges[i : i + 3], [0, 2 / (edges[i + 2] - edges[i]), 0]) for i in range(num_mels)]
    return np.array(rows)
