"""Whether ONNX Runtime multiplies int8 matrices exactly here.

On x86-64 processors without VNNI it adds pairs of products in 16 bits, which saturate
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "When to use S8S8").
"""

from functools import cache

import numpy as np
import onnx.parser
import onnxruntime

SATURATES = "ONNX Runtime saturates int8 products on this processor, which has no VNNI"


PRODUCT = """<ir_version: 8, opset_import: ["": 17]>
product (uint8[1, 64] a, int8[64, 16] b) => (int32[1, 16] y) { y = MatMulInteger(a, b) }"""


@cache
def multiplies_int8_exactly() -> bool:
    """Multiplies the largest int8 values and tells whether the sum is theirs."""
    model = onnx.parser.parse_model(PRODUCT).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    a, b = np.full((1, 64), 255, np.uint8), np.full((64, 16), 127, np.int8)
    (received,) = session.run(None, {"a": a, "b": b})
    return bool((received == 64 * 255 * 127).all())
