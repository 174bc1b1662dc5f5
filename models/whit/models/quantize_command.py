"""`whit quantize`: weights alone, or a whole model in integers. torch is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from whit.models.seeds import LARGEST_SEED
from whit.runtime.plain_console import plain_console

OF_A_TRANSDUCER = ("checkpoint", "out", "bits", "scheme", "init", "threads")
INTEGER = "Integer-only (models without a prediction network)"
SYNTHETIC = "Synthetic inputs"


def quantize(
    ctx: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="Float checkpoint folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Checkpoint folder to write.")],
    bits: Annotated[
        int, typer.Option(help="Width of every matrix: 1 to 8 (gq to 6, planes to 3; integer-only from 2).")
    ] = 8,
    scheme: Annotated[str, typer.Option(help="Weight quantizer of a transducer.")] = "linear",
    init: Annotated[
        str, typer.Option(help="Centroids of a transducer's gq and planes: lloyd or linspace.")
    ] = "lloyd",
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Calibrate on synthetic inputs.", rich_help_panel=INTEGER)
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Calibrate on recordings of this manifest.", rich_help_panel=INTEGER),
    ] = None,
    noise: Annotated[
        bool, typer.Option("--noise", help="Calibrate on normal noise.", rich_help_panel=INTEGER)
    ] = False,
    activation_bits: Annotated[
        int, typer.Option(help="Width of activations, 2 to 8.", rich_help_panel=INTEGER)
    ] = 8,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="PATTERN=BITS of tensors; later ones override.", rich_help_panel=INTEGER),
    ] = None,
    weight_scale: Annotated[
        str, typer.Option(help="Scale of a weight row: max or mse.", rich_help_panel=INTEGER)
    ] = "max",
    observer: Annotated[
        str, typer.Option(help="Range of activations: ema, minmax or percentile.", rich_help_panel=INTEGER)
    ] = "ema",
    percentile: Annotated[
        float, typer.Option(help="Share kept by the observer percentile.", rich_help_panel=INTEGER)
    ] = 99.996,
    batches: Annotated[int, typer.Option(min=1, help="To calibrate on.", rich_help_panel=INTEGER)] = 20,
    batch_size: Annotated[int, typer.Option(min=1, help="Utterances each.", rich_help_panel=INTEGER)] = 8,
    compare: Annotated[
        Path | None,
        typer.Option(help="Print ranges beside those of this manifest and noise.", rich_help_panel=INTEGER),
    ] = None,
    score: Annotated[
        Path | None,
        typer.Option(help="Print error rates of float and simulated integers.", rich_help_panel=INTEGER),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw a synthetic input (beside --compare's speech).", rich_help_panel=SYNTHETIC),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Of 10 ms.", rich_help_panel=SYNTHETIC)] = 500,
    iterations: Annotated[int, typer.Option(min=1, help="Per batch.", rich_help_panel=SYNTHETIC)] = 200,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.", rich_help_panel=SYNTHETIC)] = 0.05,
    statistics: Annotated[
        str,
        typer.Option(help="Matched: batch_norm (published) or layer_norm.", rich_help_panel=SYNTHETIC),
    ] = "batch_norm",
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Of synthetic inputs and noise.", rich_help_panel=SYNTHETIC
        ),
    ] = 0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda, of the synthesis.", rich_help_panel=SYNTHETIC)
    ] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads torch may use.")] = 1,
) -> None:
    """Quantizes a checkpoint after training: the weights of a transducer, or a whole model in integers."""
    import torch

    from whit.models.checkpoint import ARCHITECTURES, read_json
    from whit.models.checkpoint_folder import CONFIG
    from whit.models.ctc_checkpoint import CTC_ARCHITECTURES
    from whit.models.errors import CheckpointError

    torch.set_num_threads(threads)
    found = read_json(checkpoint / CONFIG, (*ARCHITECTURES, *CTC_ARCHITECTURES))["architecture"]
    idle = [
        option
        for name, option in _given(ctx).items()
        if (name == "init" and scheme == "linear") or (found in ARCHITECTURES and name not in OF_A_TRANSDUCER)
    ]
    if idle:
        raise CheckpointError(
            f"[quantize] expected options of {scheme} codes of {found}, received {', '.join(idle)}"
        )
    if found in ARCHITECTURES:
        from whit.models.post_training import quantize_checkpoint

        quantize_checkpoint(checkpoint, out, scheme=scheme, bits=bits, init=init)
        plain_console().print(f"checkpoint: {out}")
        return
    chosen = [zero_shot, calibrate is not None, noise]
    if sum(chosen) != 1:
        raise CheckpointError(
            f"[quantize] expected 1 of --zero-shot, --calibrate and --noise with {found}, "
            f"received {sum(chosen)}"
        )
    if scheme != "linear":
        raise CheckpointError(f"[quantize] expected scheme linear with {found}, received {scheme!r}")
    unused = set() if zero_shot else {"iterations", "learning_rate", "statistics", "device"}
    unused |= {"frames", "seed"} if calibrate is not None and compare is None else set()
    unused |= set() if observer == "percentile" else {"percentile"}
    idle = [option for name, option in _given(ctx).items() if name in unused]
    if idle:
        source = "--zero-shot" if zero_shot else "--noise" if noise else "--calibrate"
        raise CheckpointError(
            f"[quantize] expected options of {source} and --observer {observer}, received {', '.join(idle)}"
        )
    from whit.models.integer.inputs import NOISE, SPEECH, ZERO_SHOT, InputConfig
    from whit.models.integer.job import IntegerJob, run_job
    from whit.models.integer.observers import ObserverConfig
    from whit.models.integer.quantize import IntegerConfig
    from whit.models.integer.synthesize import SynthesisConfig
    from whit.models.integer.weights import WeightConfig, parse_rule

    synthesis = SynthesisConfig(
        batches=batches,
        batch_size=batch_size,
        frames=frames,
        iterations=iterations,
        learning_rate=learning_rate,
        statistics=statistics,
        seed=seed,
    )
    job = IntegerJob(
        checkpoint=checkpoint,
        out=out,
        inputs=InputConfig(
            source=ZERO_SHOT if zero_shot else SPEECH if calibrate else NOISE,
            manifest=calibrate,
            synthesis=synthesis,
        ),
        config=IntegerConfig(
            weights=WeightConfig(
                bits=bits, rules=tuple(parse_rule(text) for text in rule or ()), scale=weight_scale
            ),
            activation_bits=activation_bits,
            observer=ObserverConfig(observer=observer, percentile=percentile),
        ),
        device=device,
        compare=compare,
        score=score,
        plot=plot,
    )
    run_job(job, plain_console())


def _given(ctx: typer.Context) -> dict[str, str]:
    """Returns how each option that the command line holds is written, by the name of its parameter."""
    given = {}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = parameter.opts[0]
    return given
