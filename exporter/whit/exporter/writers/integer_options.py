"""Attributes of the operators of docs/format.md, section 10, in the order of their custom options."""

INTEGER_OPTIONS: dict[str, tuple[str, ...]] = {
    "QuantizeFeatures": ("inverse_scale", "low", "high"),
    "IntConv1d": (
        *("rows", "cols", "bits", "kernel_size", "stride", "dilation", "padding"),
        *("x_zero", "y_zero", "low", "high", "y_bits"),
    ),
    "IntDepthwiseConv1d": (
        *("rows", "cols", "bits", "stride", "dilation", "padding"),
        *("x_zero", "y_zero", "low", "high"),
    ),
    "IntTable": (),
    "IntGlu": ("multiplier", "shift", "low", "high"),
    "IntLayerNorm": ("epsilon", "low", "high", "y_bits"),
    "IntRelativeAttention": (
        "heads",
        *("content_multiplier", "content_shift", "position_multiplier", "position_shift"),
        *("result_multiplier", "result_shift", "low", "high"),
    ),
    "IntUnfold2d": ("channels", "zero"),
    "DistanceRows": (),
    "DequantizeLogits": ("scale",),
}
FLOAT_OPTIONS = ("inverse_scale", "scale")
"""Those that are floats."""
