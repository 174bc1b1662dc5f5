"""Weight quantizers: training-time forms of the codes that docs/format.md stores.

To add one: a file here with `@register("name")`, and its import line below.
"""

from whit.models.quantizers import gq as gq
from whit.models.quantizers import linear as linear
from whit.models.quantizers import planes as planes
from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.quantizer import QuantizedTensor, WeightQuantizer
from whit.models.quantizers.registry import build, register, schemes
from whit.models.quantizers.rules import (
    QuantizationRule,
    QuantizationSpec,
    QuantizedWeight,
    apply_quantization,
    quantizer_on,
    quantizers_of,
    register_quantizer,
    set_progress,
)

__all__ = [
    "QuantizationError",
    "QuantizationRule",
    "QuantizationSpec",
    "QuantizedTensor",
    "QuantizedWeight",
    "WeightQuantizer",
    "apply_quantization",
    "build",
    "quantizer_on",
    "quantizers_of",
    "register",
    "register_quantizer",
    "schemes",
    "set_progress",
]
