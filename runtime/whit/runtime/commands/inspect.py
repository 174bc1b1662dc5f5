"""`whit inspect`: what a model file holds."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from whit.runtime.commands.cpu_table import print_cpu
from whit.runtime.cpu_report import report_cpu
from whit.runtime.errors import ConfigError, ModelFileError
from whit.runtime.model_contents import ModelContents, read_contents
from whit.runtime.model_info import ModelInfo
from whit.runtime.model_layers import mean_bits
from whit.runtime.offline_info import OfflineInfo
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json
from whit.runtime.tflite_metadata import FILE

SMALL_BYTES = 64  # shapes and axes: listed by --json only


def inspect(
    model: Annotated[Path | None, typer.Argument(help="What `whit export` wrote.")] = None,
    *,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="Tell the instruction set and kernels chosen here, and why.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check the SHA-256 of the weights.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List a model's layers with their bits and bytes, or what this processor runs; no model is run."""
    if cpu == (model is not None):
        raise ConfigError(f"[inspect] expected a model or --cpu, received {'both' if cpu else 'neither'}")
    if model is None:
        if verify:
            raise ConfigError("[inspect] expected a model for --verify, received --cpu")
        print_cpu(report_cpu(), json=json)
        return
    contents = read_contents(model, hash_weights=verify)
    if verify:
        verify_weights(contents)
        file = model / FILE
        if model.is_dir() and file.is_file() and file not in contents.sha256_by_file:
            verify_weights(read_contents(file, hash_weights=True))  # `auto` runs this one
    if json:
        report = {
            "model": str(model),
            "info": asdict(contents.info),
            "target": contents.target,
            "layers": [asdict(layer) | {"total_bytes": layer.total_bytes} for layer in contents.layers],
            "mean_bits": mean_bits(contents.layers),
            "file_size_bytes": contents.file_size_bytes,
            "verified": verify,
        }
        print_json(report)
        return
    _print(contents, verified=verify)


def verify_weights(contents: ModelContents) -> None:
    """Compares the weights with the hash in the metadata.

    Raises:
        ModelFileError: they differ, or there is no file of weights, or no hash of it.
    """
    expected = contents.info.weights_sha256
    if expected is None:
        raise ModelFileError(
            f"[--verify] expected a file of dialect whit, whose metadata holds a SHA-256, received "
            f"{contents.info.dialect}"
        )
    if not contents.sha256_by_file:
        raise ModelFileError("[--verify] expected weights in a file of their own, received none")
    for path, received in contents.sha256_by_file.items():
        if received != expected:
            raise ModelFileError(f"[{path}] expected SHA-256 {expected}, received {received}")


def describe(info: ModelInfo | OfflineInfo) -> str:
    """Returns what a model takes and gives, in one line."""
    if isinstance(info, OfflineInfo):
        outputs = "tokens and the blank" if info.has_blank else f"classes of {info.head}"
        return (
            f"{len(info.tokens)} {outputs}, whole utterances of up to {info.max_ms} ms, "
            f"{info.num_mels} mels of {info.window_ms} ms, one frame of logits every {info.frame_s:g} s"
        )
    return (
        f"{len(info.tokens)} tokens and the blank, {info.flavour} front-end with {info.num_mels} mels, "
        f"chunks of {info.chunk_ms} ms, look-ahead {info.lookahead_ms} ms, tail {info.tail_ms} ms"
    )


def _print(contents: ModelContents, *, verified: bool) -> None:
    info, layers = contents.info, contents.layers
    console = plain_console()
    console.print(f"{info.name}: dialect {info.dialect}, {describe(info)}", soft_wrap=True)
    if not console.is_terminal:
        console.width = 120  # a file has no margin to keep
    table = Table()
    for header in ("graph", "tensor"):
        table.add_column(header, overflow="fold")
    for header in ("shape", "bits", "layout", "bytes"):
        table.add_column(header, justify="right", no_wrap=True)
    graph = ""
    shown = [layer for layer in layers if layer.total_bytes >= SMALL_BYTES]
    for layer in shown:
        shape = " x ".join(map(str, layer.shape)) or "scalar"
        first = layer.graph if layer.graph != graph else ""
        graph = layer.graph
        table.add_row(first, layer.name, shape, str(layer.bits), layer.layout, f"{layer.total_bytes:,}")
    table.add_row("", f"{len(layers) - len(shown)} constants below {SMALL_BYTES} bytes", "", "", "", "")
    table.add_section()
    bits = mean_bits(layers)
    tensors = f"{sum(layer.total_bytes for layer in layers):,}"
    table.add_row("total", "", "", "" if bits is None else f"{bits:.2f}", "", tensors)
    console.print(table)
    if contents.target is not None:
        console.print(f"layouts for: {contents.target}")
    note = "; SHA-256 of the weights verified" if verified else ""
    console.print(f"files: {contents.file_size_bytes:,} bytes{note}")
