"""The stock baselines of models over whole utterances, each with its self-check."""

from collections.abc import Sequence
from pathlib import Path

from whit.exporter.conv_config import ConvConfig
from whit.exporter.ctc_checkpoint import CtcCheckpoint
from whit.exporter.ir import Model
from whit.exporter.jobs import Format
from whit.exporter.litert_ctc_session import LitertCtcGraph
from whit.exporter.litert_graph import has_litert
from whit.exporter.plan import Job, job_of
from whit.exporter.verify import CheckResult
from whit.exporter.verify_stock_ctc import measure_ctc_int8, verify_ctc_float
from whit.exporter.writers.tflite_signature import FILE as TFLITE_FILE
from whit.exporter.writers.tflite_stock_conv import TfliteStockConvFloatWriter, TfliteStockConvInt8Writer


def stock_ctc_jobs(
    model: Model, checkpoint: CtcCheckpoint, formats: Sequence[Format], notes: list[str]
) -> list[Job]:
    """Returns the jobs of dialect `stock`; int8 where the checkpoint is integer-only.

    Args:
        model: in float, of build_float_ctc.
        checkpoint: what the files must compute.
        formats: to write; "onnx" needs the packages onnx and onnxruntime.
        notes: is told what is left out, and why.
    """
    if not checkpoint.config.integer:
        notes.append("the checkpoint is not integer-only: no stock-int8")
    jobs = []
    for each in formats:
        if each == "onnx":
            jobs += _onnx_jobs(model, checkpoint, notes)
        elif not isinstance(checkpoint.config.model, ConvConfig):
            notes.append("a Conformer has no stock model.tflite: its baselines are the ONNX ones")
        elif not has_litert():
            notes.append("ai-edge-litert is not installed: no stock model.tflite")
        else:
            jobs += _tflite_jobs(model, checkpoint)
    return jobs


def _onnx_jobs(model: Model, checkpoint: CtcCheckpoint, notes: list[str]) -> list[Job]:
    from whit.exporter.onnx_ctc_session import OnnxCtcGraph
    from whit.exporter.onnx_int8_products import SATURATES, multiplies_int8_exactly
    from whit.exporter.writers.onnx_stock_ctc import OnnxStockCtcFloatWriter, OnnxStockCtcInt8Writer

    def verify(folder: Path, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
        return verify_ctc_float(OnnxCtcGraph(folder, model.graph("encode")), model, checkpoint)

    def measure(folder: Path, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
        graph = OnnxCtcGraph(folder, model.graph("encode"))
        return measure_ctc_int8(graph, model, checkpoint, exact_products=multiplies_int8_exactly())

    jobs = [job_of("stock-float", OnnxStockCtcFloatWriter(), model, checkpoint, verify)]
    if checkpoint.config.integer:
        if not multiplies_int8_exactly():
            notes.append(f"{SATURATES}: the values of stock-int8 were not compared")
        jobs.append(job_of("stock-int8", OnnxStockCtcInt8Writer(checkpoint), model, checkpoint, measure))
    return jobs


def _tflite_jobs(model: Model, checkpoint: CtcCheckpoint) -> list[Job]:
    def verify(folder: Path, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
        return verify_ctc_float(LitertCtcGraph(folder, model.graph("encode")), model, checkpoint)

    def measure(folder: Path, model: Model, checkpoint: CtcCheckpoint) -> CheckResult:
        return measure_ctc_int8(LitertCtcGraph(folder, model.graph("encode")), model, checkpoint)

    path = f"stock-float/{TFLITE_FILE}"
    jobs = [job_of(path, TfliteStockConvFloatWriter(), model, checkpoint, verify)]
    if checkpoint.config.integer:
        writer = TfliteStockConvInt8Writer(checkpoint)
        jobs.append(job_of(f"stock-int8/{TFLITE_FILE}", writer, model, checkpoint, measure))
    return jobs
