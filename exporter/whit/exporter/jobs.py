"""What the export of a transducer writes: each file or folder with its writer and its self-check."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from whit.exporter.checkpoint import Checkpoint
from whit.exporter.golden import golden_vectors, write_golden
from whit.exporter.ir import Model
from whit.exporter.plan import Job, job_of
from whit.exporter.verify import CheckResult
from whit.exporter.verify_litert import measure_litert_agreement, verify_litert_float
from whit.exporter.verify_tflite import verify_tflite
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.exporter.writers.tflite_stock import TfliteStockWriter
from whit.exporter.writers.tflite_whit import TfliteWhitWriter

Format = Literal["tflite", "onnx"]
Verify = Callable[[Path, Model, Checkpoint], CheckResult]
ONNX_FOLDER = "onnx"
ONNX_PACKAGES = ("onnx", "onnxruntime")
STOCK_TFLITE: dict[int, Verify] = {
    32: verify_litert_float,
    8: measure_litert_agreement,
    4: measure_litert_agreement,
}
"""Bits of the weights of each stock model.tflite, and how it is checked."""


def packed_jobs(model: Model, checkpoint: Checkpoint, format: Format) -> list[Job]:
    """Returns the job of dialect `whit`; the ONNX one needs the packages onnx and onnxruntime."""
    if format == "tflite":
        writer = TfliteWhitWriter(golden_vectors(checkpoint))
        return [job_of(TFLITE_FILE, writer, model, checkpoint, verify_tflite)]
    from whit.exporter.verify_onnx import verify_packed
    from whit.exporter.writers.onnx_whit import OnnxWhitWriter

    return [job_of(ONNX_FOLDER, OnnxWhitWriter(), model, checkpoint, verify_packed, golden=write_golden)]


def stock_jobs(model: Model, checkpoint: Checkpoint, format: Format) -> list[Job]:
    """Returns the jobs of dialect `stock`; the tflite ones need the package ai-edge-litert."""
    if format == "tflite":
        writers = [(TfliteStockWriter(bits), verify) for bits, verify in STOCK_TFLITE.items()]
        return [
            job_of(f"{writer.dialect}/{TFLITE_FILE}", writer, model, checkpoint, verify)
            for writer, verify in writers
        ]
    from whit.exporter.verify_onnx import measure_agreement, verify_float
    from whit.exporter.writers.onnx_stock import OnnxStockFloatWriter, OnnxStockInt8Writer

    return [
        job_of("stock-float", OnnxStockFloatWriter(), model, checkpoint, verify_float),
        job_of("stock-int8", OnnxStockInt8Writer(), model, checkpoint, measure_agreement),
    ]


def missing_onnx_packages() -> list[str]:
    """Returns which packages of the ONNX format are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
