"""``python -m jaxclr.main --experiment=NAME``: trains and tests what an experiment says."""

import argparse
import contextlib
import gc
import importlib.util
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from jaxclr.allocation import end_without_collecting, keep_freed_memory
from jaxclr.errors import InputError, exit_code, nearest
from jaxclr.loggers import check_loggers

# The processes that Grain starts import this file: what takes long to import comes in later.
if TYPE_CHECKING:
    from rich.console import Console

    from jaxclr.experiment import Experiment

BETWEEN_COLLECTIONS = 50_000
"""New objects, less those that are gone, after which Python looks for garbage in cycles."""

USAGE = """\
--experiment NAME|PATH  what to run: one of the experiments that there are
                        (python -m jaxclr.main --help lists them), or a file
--workdir DIR           where runs are written (default: runs)
--no-report             write no HTML report of the runs at the end
--log-to LOGGER...      where else runs are shown while they go on: tensorboard,
                        wandb
--compile-cache DIR     where compiled programs are kept, for later commands on
                        machines of the same kind to take from there (default:
                        nowhere)
--distributed           join the processes that Slurm, Kubernetes, a TPU pod or
                        Open MPI has started; elsewhere, for each of them:
--coordinator HOST:PORT where process 0 listens
--num-processes N       how many there are
--process-id I          which one this is, from 0 to N - 1

Every field of the experiment is a flag, too, by its path; they are listed by
--experiment=NAME --help."""

WIDTH, INDENT = 80, " " * 4
"""Of the list of experiments."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure, 2 for bad input."""
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(
        lambda: _main(given),
        interrupted="The same command goes on from the last checkpoint.",
    )


def _told(unraisable: "sys.UnraisableHookArgs") -> None:
    """Reports an error that could not be raised, but for the echoes of a failed save.

    Threads of Orbax's storage engine report into an event loop that the failure has closed. The
    failure itself is raised, and told by :func:`main`.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--experiment")
    parser.add_argument("--workdir", type=Path, default=Path("runs"))
    parser.add_argument("--no-report", action="store_true")
    parser.add_argument("--log-to", nargs="+", default=())
    parser.add_argument("--compile-cache", type=Path)
    parser.add_argument("--distributed", action="store_true")
    parser.add_argument("--coordinator")
    parser.add_argument("--num-processes", type=int)
    parser.add_argument("--process-id", type=int)
    chosen, rest = parser.parse_known_args(argv)
    names = experiment_names()
    if chosen.experiment is None:
        if {"-h", "--help"} & set(rest):
            listed = textwrap.indent(textwrap.fill(", ".join(names), WIDTH - len(INDENT)), INDENT)
            print(f"python -m jaxclr.main --experiment=NAME [--help]\n\n{USAGE}\n")
            print(f"Experiments:\n{listed}")
            return 0
        raise InputError(f"--experiment is missing. Allowed: {', '.join(names)}, or a file.")
    check_loggers(chosen.log_to)
    with _rare_collections():
        _start(chosen, rest)
    return 0


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Has Python look for garbage in cycles less often.

    What is imported, traced and compiled is a great many objects, none of which is garbage: to go
    through them again and again takes a fifth of a start from a filled compile cache.
    """
    before = gc.get_threshold()
    gc.set_threshold(BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _start(chosen: argparse.Namespace, fields: list[str]) -> None:
    from jaxclr.training.distributed import Cluster, joined

    if chosen.compile_cache is not None:
        _keep_compiled(chosen.compile_cache)
    flags = (chosen.coordinator, chosen.num_processes, chosen.process_id)
    asked = chosen.distributed or any(flag is not None for flag in flags)
    # Before the experiment's file is run, which may compute something.
    with joined(Cluster(*flags) if asked else None):
        experiment = parse(load_experiment(chosen.experiment), fields, USAGE)
        _make_runs(experiment, chosen.workdir, report=not chosen.no_report, log_to=chosen.log_to)


def _keep_compiled(folder: Path) -> None:
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder.absolute()))
    # Of every size: a start has many small programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _make_runs(
    experiment: "Experiment", workdir: Path, *, report: bool, log_to: Sequence[str]
) -> None:
    from rich.console import Console

    from jaxclr.sweep import sweep
    from jaxclr.training.distributed import leads
    from jaxclr.training.preemption import Stopped

    console = Console(quiet=not leads())
    # What there is to tell has been told when a run is stopped, and nothing went wrong.
    with contextlib.suppress(Stopped):
        folder = sweep(experiment, workdir, console, log_to)
        if report and leads():
            tell_report([folder], folder / "report", console)


def tell_report(folders: Sequence[Path], output: Path, console: "Console") -> None:
    """Writes the report of some experiments' runs, and says where it is.

    The runs are finished: that none can be written of them is told, and ends nothing.
    """
    from jaxclr.report import write_report

    try:
        told = f"Report: {write_report(folders, output)}"
    except Exception as error:
        places = " ".join(map(str, folders))
        told = (
            f"No report was written ({type(error).__name__}: {error}). The runs are kept; to try "
            f"again: python -m jaxclr.report {places} --output FOLDER"
        )
    console.print(told, highlight=False, markup=False, soft_wrap=True)


def parse(default: "Experiment", argv: Sequence[str], usage: str = "") -> "Experiment":
    """The experiment with the fields that the command line overrides.

    Raises:
        SystemExit: A field is unknown or its value does not fit (code 2); help was asked for (0).
    """
    import tyro

    return tyro.cli(
        type(default), default=default, args=argv, prog="python -m jaxclr.main", description=usage
    )


def experiment_names() -> list[str]:
    """The experiments that come with the package."""
    import jaxclr.experiments

    folder = Path(jaxclr.experiments.__path__[0])
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def load_experiment(name: str) -> "Experiment":
    """Calls ``experiment()`` of the experiment of that name, or of the file at that path.

    Raises:
        InputError: There is none.
    """
    if name.endswith(".py"):
        module = _module_at(Path(name))
    elif name in (names := experiment_names()):
        module = importlib.import_module(f"jaxclr.experiments.{name}")
    else:
        raise InputError(f"No experiment {name!r}. {nearest(name, names)}")
    if not hasattr(module, "experiment"):
        raise InputError(f"{name} has no function experiment() that returns an Experiment.")
    return module.experiment()


def _module_at(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"No file {path}. Give an experiment's name or a Python file.")
    import cloudpickle

    spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    # What the file defines can then be sent to the processes that make batches.
    cloudpickle.register_pickle_by_value(module)
    return module


if __name__ == "__main__":
    keep_freed_memory()
    end_without_collecting()
    sys.unraisablehook = _told
    if code := main():
        from jaxclr.training.distributed import leave

        leave(code)
