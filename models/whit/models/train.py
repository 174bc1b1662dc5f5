"""The training loop: a recipe in, a checkpoint out, resumable to the exact step."""

import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import distributed

from whit.models.averaged_weights import AveragedWeights
from whit.models.checkpoint_folder import check_folder
from whit.models.data import TrainingData
from whit.models.data_parallel import BatchLoss, end_with_parent, launch, make_fabric, seed_step, share_of
from whit.models.digit_data import DigitData
from whit.models.errors import DivergenceError, RecipeError
from whit.models.quantizers import apply_quantization, set_progress
from whit.models.quantizers.quantizer import WeightQuantizer
from whit.models.recipe import OptimizationConfig, Recipe
from whit.models.recompute_batch_norms import batch_norms, recompute_batch_norms
from whit.models.run_sources import run_sources
from whit.models.speech_data import SpeechData
from whit.models.training_state import load_state, save_state
from whit.models.training_task import task_of
from whit.runtime.whole_file import whole_file

STATE, METRICS, CHECKPOINT = "state.safetensors", "metrics.jsonl", "checkpoint"
WEIGHTS = ("weight", "weight_ih", "weight_hh", "weight_hr")  # how the names of weights end
STATISTICS_BATCHES = 16  # that give averaged weights their batch norms' statistics


def learning_rate(step: int, config: OptimizationConfig) -> float:
    """Returns the rate of a step: a straight warm-up, then a cosine down to `final_fraction`."""
    warmup = max(config.steps * config.warmup_fraction, 1.0)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(config.steps - warmup, 1.0)
    share = config.final_fraction + (1 - config.final_fraction) * 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * share


def make_optimizer(model: torch.nn.Module, config: OptimizationConfig) -> torch.optim.AdamW:
    """Returns AdamW that decays weights, but neither biases nor norms' gains nor what quantizers learn.

    Each group has the factor that multiplies its rate, as `rate_factor`.
    """
    quantizers = (module for module in model.modules() if isinstance(module, WeightQuantizer))
    learned_by_quantizers = {id(p) for module in quantizers for p in module.parameters()}
    decayed: list[torch.nn.Parameter] = []
    quantizing: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_weight = name.removesuffix(".original").endswith(WEIGHTS) and parameter.ndim > 1
        if id(parameter) in learned_by_quantizers:
            quantizing.append(parameter)
        else:
            (decayed if is_weight else others).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay, "rate_factor": 1.0},
        {"params": others, "weight_decay": 0.0, "rate_factor": 1.0},
        {"params": quantizing, "weight_decay": 0.0, "rate_factor": config.quantizer_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate)


def train_recipe(
    recipe: Recipe, *, run: Path, data: Path, cache: Path, processes: int = 1, threads: int = 1
) -> None:
    """Trains a recipe to its end.

    Args:
        recipe: what to train.
        run: folder of the run; an earlier state in it is continued.
        data: folder of the manifests.
        cache: folder of features and synthesised voices.
        processes: that share every batch.
        threads: of each process.
    """
    training = partial(Training, recipe, run=run, data=data, cache=cache)
    launch(make_fabric(recipe.optimization, processes), partial(_fit, training=training, threads=threads))


def _fit(fabric: Fabric, *, training: "Callable[..., Training]", threads: int) -> None:
    torch.set_num_threads(threads)
    training(fabric=fabric).fit()
    if distributed.is_initialized():
        # Else a process may end while the threads of its group still run, which aborts it.
        fabric.barrier()
        distributed.destroy_process_group()


class Training:
    """One run of a recipe in its folder: state, metrics and checkpoint.

    Args:
        recipe: what to train.
        run: folder of the run; an earlier state in it is continued.
        data: folder of the manifests.
        cache: folder of features and synthesised voices.
        fabric: of the processes that train together; this one alone without it.
    """

    def __init__(
        self, recipe: Recipe, *, run: Path, data: Path, cache: Path, fabric: Fabric | None = None
    ) -> None:
        self.recipe = recipe
        self.run = run
        self.config = recipe.optimization
        self.fabric = fabric or make_fabric(self.config)
        check_folder(run / CHECKPOINT, made_from=Path(recipe.init_from) if recipe.init_from else None)
        torch.manual_seed(recipe.seed)
        self.task = task_of(recipe)
        self.model = self.task.initial_model()
        apply_quantization(self.model, recipe.quantization_spec())
        with self.fabric.rank_zero_first():  # the others find what it caches
            self.data = self._make_data(data, cache)
        self.task.prepare(self.model, self.data)
        self.optimizer = make_optimizer(self.model, self.config)
        self.average = AveragedWeights(self.model, self.config.ema_decay)
        self.dev_sets = self.data.dev_sets()
        self.step = 0
        self._identity, self._sources = recipe.identity(), run_sources(recipe, data)
        if (run / STATE).exists():
            self.step = load_state(
                run / STATE,
                self.model,
                self.optimizer,
                self.average,
                recipe=self._identity,
                sources=self._sources,
            )
        self.fabric.barrier()  # all have read the state before one goes on
        if self.fabric.is_global_zero:
            run.mkdir(parents=True, exist_ok=True)
            self._forget_metrics_after(self.step)

    def fit(self, *, until: int | None = None) -> dict[str, float]:
        """Trains to the recipe's last step or to `until`; returns the last word error rates (percent).

        Only the first process scores and writes files.

        Raises:
            DivergenceError: a loss or a gradient is infinite or no number; the state saved last stays.
        """
        last = self.config.steps if until is None else min(until, self.config.steps)
        model, optimizer = self.fabric.setup(BatchLoss(self.model, self.task.loss), self.optimizer)
        leads = self.fabric.is_global_zero
        scores: dict[str, float] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
        )
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, transient=True, disable=not leads) as progress:
            bar = progress.add_task(self.recipe.name, total=last, completed=self.step)
            while self.step < last:
                end_with_parent()
                loss = self._one_step(model, optimizer)
                progress.update(bar, completed=self.step, description=f"{self.recipe.name} loss {loss:.3f}")
                ends = self.step == last
                if leads and (self.step % self.config.evaluate_every == 0 or ends):
                    scores = self.score()
                if leads and (self.step % self.config.save_every == 0 or ends):
                    save_state(
                        self.run / STATE,
                        self.model,
                        self.optimizer,
                        self.average,
                        step=self.step,
                        recipe=self._identity,
                        sources=self._sources,
                    )
        self.fabric.barrier()
        return scores

    def score(self) -> dict[str, float]:
        """Saves the averaged weights and returns their word error rate (percent) on each development set."""
        with self.average.in_place(self.model):
            if batch_norms(self.model) and self.config.ema_decay > 0:
                steps = range(self.step, self.step + STATISTICS_BATCHES)
                forward = partial(self.task.encode, self.model)
                recompute_batch_norms(self.model, forward, map(self.data.batch, steps))
            results = {dev.name: self.task.evaluate(self.model, dev) for dev in self.dev_sets}
            scores = {name: round(score.wer, 3) for name, score in results.items()}
            characters = {name: round(score.cer, 3) for name, score in results.items()}
            metrics = {"steps": self.step, "dev_wer_percent": scores, "dev_cer_percent": characters}
            self.task.save(self.run / CHECKPOINT, self.model.eval(), metrics)
        self._log(dev_wer_percent=scores, dev_cer_percent=characters)
        return scores

    def _one_step(self, model: Any, optimizer: Any) -> float:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate_factor"] * learning_rate(self.step, self.config)
        set_progress(self.model, self.step / self.config.steps)
        self.model.train()
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        seed_step(self.recipe.seed, step=self.step, rank=rank)
        batch, weight = share_of(self.data.batch(self.step), rank=rank, processes=processes)
        loaded = time.perf_counter()
        optimizer.zero_grad()
        loss = model(lambda: batch) * weight
        joint_loss = float(torch.as_tensor(self.fabric.all_reduce(loss.detach().clone(), reduce_op="mean")))
        self._check_finite("loss", joint_loss)
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(
            model, optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
        )
        self._check_finite("gradient", math.nan if norm is None else float(norm))
        optimizer.step()
        self.average.update(self.model)
        self.step += 1
        if self.fabric.is_global_zero and self.step % self.config.log_every == 0:
            self._log(
                loss=joint_loss,
                gradient_norm=float(norm if norm is not None else math.nan),
                learning_rate=self.optimizer.param_groups[0]["lr"],
                data_s=round(loaded - start, 4),
                step_s=round(time.perf_counter() - start, 4),
            )
        return joint_loss

    def _check_finite(self, name: str, value: float) -> None:
        """Raises DivergenceError in every process alike: what it is asked of is joint."""
        if not math.isfinite(value):
            raise DivergenceError(
                f"[step {self.step + 1}] expected a finite {name}, received {value} "
                f"at learning rate {self.optimizer.param_groups[0]['lr']:.3g}"
            )

    def _make_data(self, data: Path, cache: Path) -> TrainingData:
        if self.recipe.speech is not None:
            return SpeechData(
                self.recipe.speech,
                data=data,
                cache=cache,
                tokenizer=self.task.tokenizer,
                frontend=self.task.frontend,
                seed=self.recipe.seed,
            )
        if self.recipe.data is None:
            raise RecipeError("[recipe] expected data or speech, received neither")
        return DigitData(
            self.recipe.data,
            data=data,
            cache=cache,
            tokenizer=self.task.tokenizer,
            frontend=self.task.frontend,
            batch_size=self.config.batch_size,
            seed=self.recipe.seed,
        )

    def _log(self, **values: Any) -> None:
        with (self.run / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")

    def _forget_metrics_after(self, step: int) -> None:
        path = self.run / METRICS
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _is_until(line, step)]
            with whole_file(path) as unfinished:
                unfinished.write_text("".join(line + "\n" for line in lines))


def _is_until(line: str, step: int) -> bool:
    """Returns whether a line is of a step up to `step`; one that was written by half is of none."""
    try:
        return int(json.loads(line)["step"]) <= step
    except (ValueError, KeyError, TypeError):
        return False
