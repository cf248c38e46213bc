"""Run the setup notebooks in order with papermill; stop at the first failure."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import shipped
from ..errors import SetupError, WrongUse
from .steps import STEPS, Step, step_named

if TYPE_CHECKING:
    from .guide import Guide

#: The last building step; the next needs a key, and the last one removes the installation.
LAST = "07-network-and-key-vault"
CLIENTS = "08-clients"


def chosen(first: str | None, last: str | None, only: Sequence[str]) -> list[Step]:
    """The steps to run, in order; by default all that build. Raises WrongUse, UnknownName."""
    if only and (first or last):
        raise WrongUse("--only cannot be combined with --from or --to")
    if only:
        names = {step_named(name).name for name in only}
        return [step for step in STEPS if step.name in names]
    start = step_named(first).name if first else STEPS[0].name
    end = step_named(last).name if last else max(start, LAST)
    found = [step for step in STEPS if start <= step.name <= end]
    if not found:
        raise WrongUse(f"--from {first} comes after --to {last}: there is nothing to run")
    return found


def for_clients(guide: Guide) -> str:
    """The gateway's URL for the client notebook. Raises WrongUse, SetupError if it could not run."""
    if not os.environ.get("GATEWAY_KEY"):
        raise WrongUse(f"{CLIENTS} calls the gateway as an application: set GATEWAY_KEY to a subscription key")
    rows = {row[0]: row[1] for row in guide.connection().rows}
    if "apiUrl" not in rows:
        raise SetupError("no gateway yet: run notebooks/setup/02-gateway")
    return rows["apiUrl"].removesuffix("/openai")


def run(
    steps: Sequence[Step], parameters: dict[str, Any], folder: Path, say: Callable[[str], None] = print
) -> list[Path]:
    """Run each step's notebook with its share of *parameters*; save the executed notebooks in *folder*.

    Raises SetupError at the first failure, with its reason and how to continue.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for step in steps:
        say(f"{step.name}: {step.title}")
        output = folder / f"{step.name}.ipynb"
        _run_one(step, parameters, output)
        done.append(output)
    return done


def _run_one(step: Step, parameters: dict[str, Any], output: Path) -> None:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook
    from papermill.inspection import inspect_notebook

    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))

    class ThisPython(AsyncKernelManager):
        """Starts this interpreter, regardless of installed kernels and their names."""

        @property
        def kernel_spec(self) -> KernelSpec:
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Python", language="python", env={"PYTHONPATH": paths})

    logging.getLogger("papermill").setLevel(logging.ERROR)
    notebook = shipped("notebooks") / f"setup/{step.name}.ipynb"
    known = inspect_notebook(str(notebook))
    try:
        execute_notebook(
            str(notebook),
            str(output),
            parameters={name: value for name, value in parameters.items() if name in known},
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel_manager_class=ThisPython,
            stdout_file=sys.stderr,
        )
    except PapermillExecutionError as error:
        raise SetupError(
            f"{error.evalue} | {output} has the full output; then continue with: aoai setup run --from {step.name[:2]}"
        ) from error
    except (DeadKernelError, RuntimeError, OSError) as error:
        raise SetupError(f"cannot run the notebook {notebook.name}: {type(error).__name__}: {error}") from error
