"""The Conformer operators of docs/format.md section 3, scalar by scalar: the core's oracle."""

import numpy as np
import numpy_formulas as functions
from numpy.typing import NDArray
from sequence_formulas import lane_sum

Float = NDArray[np.float32]
f32 = np.float32


def depthwise_conv(x: Float, cache: Float, weight: Float, bias: Float) -> tuple[Float, Float]:
    y, past = np.zeros_like(x), len(cache)
    for t in range(len(x)):
        for c in range(x.shape[1]):
            y[t, c] = bias[c]
            for j in range(len(weight)):
                at = t + j - past
                y[t, c] = y[t, c] + weight[j, c] * (cache[past + at, c] if at < 0 else x[at, c])
    return y, np.concatenate([cache, x])[len(x) :]


def relative_attention(
    q: Float, k: Float, v: Float, cache: Float, p: Float, u: Float, w: Float, heads: int
) -> tuple[Float, Float]:
    frames, width = q.shape
    chunk = np.concatenate([k, v, np.ones((frames, 1), np.float32)], axis=1)
    window, size = np.concatenate([cache, chunk]), width // heads
    y = np.zeros_like(q)
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        key, value = window[:, :width][:, at], window[:, width:-1][:, at]
        for i in range(frames):
            rows = [j for j in range(len(window)) if window[j, -1] != 0]
            score = {}
            for j in rows:
                content = lane_sum((q[i, at] + u[at]) * key[j])
                position = lane_sum((q[i, at] + w[at]) * p[frames - 1 - i + j, at])
                score[j] = (content + position) * (f32(1) / np.sqrt(f32(size)))
            e = np.zeros(len(window), np.float32)
            for j in rows:
                e[j] = functions.exp(np.array([score[j] - max(score.values())]))[0]
            inverse = f32(1) / lane_sum(e)
            for j in rows:
                y[i, at] = y[i, at] + (e[j] * inverse) * value[j]
    return y, window[frames:]


def unfold2d(x: Float, cache: Float, channels: int) -> tuple[Float, Float]:
    frequencies = x.shape[1] // channels
    out = frequencies // 2 + 1
    window = np.concatenate([cache, x]).reshape(-1, frequencies, channels)
    y = np.zeros((len(x) // 2 * out, 9 * channels), np.float32)
    for t in range(len(x) // 2):
        for f in range(out):
            for c in range(channels):
                for i in range(3):
                    for j in range(3):
                        frequency = 2 * f + j - 2
                        if 0 <= frequency < frequencies:
                            y[t * out + f, 9 * c + 3 * i + j] = window[2 * t + i, frequency, c]
    return y, np.concatenate([cache, x])[-2:]
