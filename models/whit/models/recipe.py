"""Training recipes: TOML files that become one checked, frozen configuration."""

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from whit.models.checkpoint import StreamingConfig
from whit.models.digit_data import DigitDataConfig
from whit.models.errors import ModelsError, RecipeError
from whit.models.pieces import read_pieces
from whit.models.quantizers import (
    QuantizationError,
    QuantizationRule,
    QuantizationSpec,
    build,
    schemes,
)
from whit.models.quantizers.rules import FLOAT
from whit.models.seeds import LARGEST_SEED
from whit.models.speech_data import SpeechDataConfig

T = TypeVar("T")
ANY_BITS = 4  # a width of every scheme
OF_A_TRANSDUCER = ("fastemit", "ctc_weight", "band_behind", "band_ahead", "history_noise", "text_weight")
OF_A_RUN = ("log_every", "evaluate_every", "save_every")  # what the trained model does not depend on


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """Steps, learning rate and what surrounds them."""

    steps: int
    batch_size: int = 32
    learning_rate: float = 2e-3  # at the end of the warm-up; then a cosine down to `final_fraction` of it
    warmup_fraction: float = 0.05
    final_fraction: float = 0.01
    weight_decay: float = 0.01
    quantizer_rate: float = 1.0  # times the rate, of centroids, planes, offsets and scales
    clip_norm: float = 5.0
    ema_decay: float = 0.999  # of the averages that are scored and saved, less in short runs; 0: none
    dropout: float = 0.1
    fastemit: float = 0.0
    loss: str = "transducer"  # or "ctc": of the joint without prediction network, which pretrains
    ctc_weight: float = 0.0  # of that loss beside the transducer's
    band_behind: int = 0  # tokens a path may be late of the model's own CTC alignment, and
    band_ahead: int = 0  # early; both 0: the whole lattice
    predictor_dropout: float | None = None  # of the prediction network, in place of `dropout`
    predictor_gain: float = 1.0  # of what the loss hears of it, against what recognition does
    history_noise: float = 0.0  # chance of each token but the last that it hears to be another
    text_weight: float = 0.0  # of the loss of text that nobody speaks
    distill_weight: float = 0.0  # of the divergence from the float model that the run starts from
    precision: str = "float32"  # or "bfloat16": of matrix products; weights and losses stay float32
    log_every: int = 20
    evaluate_every: int = 500
    save_every: int = 250

    def __post_init__(self) -> None:
        at_least = dict.fromkeys(("steps", "batch_size", "log_every", "evaluate_every", "save_every"), 1)
        at_least |= dict.fromkeys(("weight_decay", *OF_A_TRANSDUCER), 0)
        for name, lowest in at_least.items():
            if not lowest <= getattr(self, name) < math.inf:
                raise RecipeError(
                    f"[optimization.{name}] expected at least {lowest}, received {getattr(self, name)}"
                )
        for name in ("learning_rate", "quantizer_rate", "clip_norm", "predictor_gain"):
            if not 0 < getattr(self, name) < math.inf:
                raise RecipeError(
                    f"[optimization.{name}] expected more than 0, received {getattr(self, name)}"
                )
        if self.loss not in ("transducer", "ctc"):
            raise RecipeError(f"[optimization.loss] expected transducer or ctc, received {self.loss!r}")
        if self.precision not in ("float32", "bfloat16"):
            raise RecipeError(
                f"[optimization.precision] expected float32 or bfloat16, received {self.precision!r}"
            )
        of_a_transducer = (*OF_A_TRANSDUCER, "predictor_dropout", "predictor_gain")
        idle = [name for name in of_a_transducer if getattr(self, name) != getattr(OptimizationConfig, name)]
        if self.loss == "ctc" and idle:
            raise RecipeError(
                f"[optimization] expected nothing of the transducer's loss with loss ctc, "
                f"received {', '.join(idle)}"
            )
        if not 0 <= self.distill_weight < math.inf or (self.distill_weight > 0 and self.loss != "transducer"):
            raise RecipeError(
                f"[optimization.distill_weight] expected 0, or more beside the transducer's loss, "
                f"received {self.distill_weight} with {self.loss}"
            )
        fractions = ["warmup_fraction", "final_fraction", "ema_decay", "dropout", "history_noise"]
        if self.predictor_dropout is not None:
            fractions.append("predictor_dropout")
        for name in fractions:
            if not 0.0 <= getattr(self, name) < 1.0:
                raise RecipeError(
                    f"[optimization.{name}] expected a value in [0, 1), received {getattr(self, name)}"
                )


@dataclass(frozen=True, kw_only=True)
class QuantizationEntry:
    """One rule: tensors whose name matches, and how they are quantized; later rules win."""

    tensors: str  # fnmatch pattern over checkpoint tensor names
    scheme: str
    bits: int = 8
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a training run depends on."""

    name: str
    preset: str
    optimization: OptimizationConfig
    data: DigitDataConfig | None = None  # strings of digits, or
    speech: SpeechDataConfig | None = None  # whole recordings
    tokens: str = ""  # file of word pieces, one a line, in place of the preset's tokens
    seed: int = 0
    init_from: str = ""  # checkpoint folder of float weights to start from
    streaming: StreamingConfig = field(default_factory=StreamingConfig)
    quantization: tuple[QuantizationEntry, ...] = ()
    quantizers: dict[str, dict[str, Any]] = field(default_factory=dict)  # options of all rules of a scheme

    def __post_init__(self) -> None:
        if self.optimization.distill_weight > 0 and not self.init_from:
            raise RecipeError("[optimization.distill_weight] expected init_from, the teacher, received none")
        if (self.data is None) == (self.speech is None):
            raise RecipeError("[recipe] expected either data or speech, received both or none")
        has_text = self.speech is not None and self.speech.text is not None
        if has_text != (self.optimization.text_weight > 0):
            raise RecipeError(
                f"[optimization.text_weight] expected more than 0 with speech.text and 0 without, "
                f"received {self.optimization.text_weight}"
            )
        band = (self.optimization.band_behind, self.optimization.band_ahead)
        if self.data is not None and any(band):
            raise RecipeError(
                f"[optimization] expected no band with data, whose emission windows no path may pass inside "
                f"it, received {band[0]} and {band[1]}"
            )
        self._check_quantization()
        if not 0 <= self.seed <= LARGEST_SEED:
            raise RecipeError(f"[seed] expected a number from 0 to {LARGEST_SEED}, received {self.seed}")
        if self.speech is not None and self.optimization.batch_size != OptimizationConfig.batch_size:
            raise RecipeError(
                f"[optimization.batch_size] expected none with speech, which is cut by its batch_s, "
                f"received {self.optimization.batch_size}"
            )

    def _check_quantization(self) -> None:
        for scheme, options in self.quantizers.items():
            if scheme not in schemes() or not isinstance(options, dict):
                raise RecipeError(
                    f"[quantizers] expected tables of {', '.join(schemes())}, received {scheme} = {options!r}"
                )
        rules = [
            (entry.tensors, entry.scheme, entry.bits, self._options(entry)) for entry in self.quantization
        ]
        tables = [("quantizers", scheme, ANY_BITS, options) for scheme, options in self.quantizers.items()]
        for place, scheme, bits, options in [*rules, *tables]:
            try:
                if scheme != FLOAT:
                    build(scheme, bits, rows=1, cols=1, options=options)
                elif options:
                    raise QuantizationError(f"expected no options of {FLOAT}, received {', '.join(options)}")
            except QuantizationError as error:
                raise RecipeError(f"[{place}] {error}") from error

    def identity(self) -> str:
        """Returns a text that two recipes share if they train the same model: what differs from defaults.

        A tokens file counts by what it holds; when a run logs, scores and saves does not count.

        Raises:
            RecipeError: the tokens file cannot be read.
        """
        own_options = tuple(replace(entry, options=self._options(entry)) for entry in self.quantization)
        optimization = replace(
            self.optimization, **{name: getattr(OptimizationConfig, name) for name in OF_A_RUN}
        )
        different = _without_defaults(
            replace(self, quantization=own_options, quantizers={}, optimization=optimization)
        )
        if self.tokens:
            pieces = "\n".join(read_pieces(Path(self.tokens)))
            different["tokens"] = hashlib.sha256(pieces.encode()).hexdigest()
        return json.dumps(different, sort_keys=True)

    def quantization_spec(self) -> QuantizationSpec:
        """Returns the rules as the quantizers take them: what a rule says itself overrides `quantizers`."""
        return [
            (
                entry.tensors,
                QuantizationRule(scheme=entry.scheme, bits=entry.bits, options=self._options(entry)),
            )
            for entry in self.quantization
        ]

    def _options(self, entry: QuantizationEntry) -> dict[str, Any]:
        return {**self.quantizers.get(entry.scheme, {}), **entry.options}


def recipe_tokens(recipe: Recipe, default: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the tokens of a recipe's file, or without one those of its preset."""
    return read_pieces(Path(recipe.tokens)) if recipe.tokens else default


def read_recipe(path: Path) -> Recipe:
    """Returns the recipe of a TOML file.

    A file may begin with `extends = "other.toml"`, a recipe beside it: its own keys then replace the other's,
    tables key by key, lists as a whole.

    Raises:
        RecipeError: the file cannot be read, or a key is unknown, missing or of the wrong type.
    """
    table: dict[str, Any] = {}
    for _, own in _tables(path):
        table = _merged(own, table)
    return from_table(Recipe, table, str(path))


def recipe_files(path: Path) -> list[Path]:
    """Returns a recipe's file and those that it extends.

    Raises:
        RecipeError: one cannot be read.
    """
    return [file for file, _ in _tables(path)]


def _tables(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yields a recipe's file and its own keys, then those of what it extends."""
    seen: set[Path] = set()
    base: Any = path.name
    while base is not None:
        if not isinstance(base, str):
            raise RecipeError(f"[{path}, extends] expected the name of a recipe, received {base!r}")
        path = path.parent / base
        if path.resolve() in seen:
            raise RecipeError(f"[{path}] expected recipes that do not extend each other in a circle")
        seen.add(path.resolve())
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(f"[{path}] expected a TOML recipe, received {error}") from error
        base = table.pop("extends", None)
        yield path, table


def _merged(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in table.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def from_table(kind: type[T], table: dict[str, Any], place: str, default: T | None = None) -> T:
    """Returns the dataclass `kind` filled from a TOML table, nested dataclasses included.

    What the table leaves out is as in `default`; without one, as the dataclass itself says.
    """
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise RecipeError(f"[{place}] expected the keys {', '.join(known)}, received {', '.join(unknown)}")
    usual = {f.name: f.default_factory() for f in fields(kind) if f.default_factory is not MISSING}  # type: ignore[arg-type]
    values = {
        key: _value(hints[key], value, f"{place}, {key}", usual.get(key)) for key, value in table.items()
    }
    try:
        return kind(**values) if default is None else replace(default, **values)  # type: ignore[type-var]
    except TypeError as error:
        raise RecipeError(f"[{place}] expected every key that has no default, received {error}") from error
    except ModelsError as error:
        raise RecipeError(f"[{place}] {error}") from error


def _without_defaults(config: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass that differ from their defaults; nested ones likewise."""
    different = {}
    for known in fields(config):
        value = getattr(config, known.name)
        default = known.default_factory() if known.default_factory is not MISSING else known.default
        if value != default:
            different[known.name] = _plain(value)
    return different


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _without_defaults(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _value(hint: Any, value: Any, place: str, default: Any = None) -> Any:
    if get_origin(hint) is UnionType:
        hint = get_args(hint)[0]
    if is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, dict):
            return from_table(hint, value, place, default)
    elif get_origin(hint) is tuple:
        kinds = get_args(hint)
        if isinstance(value, list):
            if kinds[-1] is not Ellipsis and len(value) != len(kinds):
                raise RecipeError(f"[{place}] expected {len(kinds)} values, received {value!r}")
            return tuple(_value(kinds[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    elif get_origin(hint) is dict:
        if isinstance(value, dict):
            return value
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint:
        return value
    raise RecipeError(f"[{place}] expected {getattr(hint, '__name__', hint)}, received {value!r}")
