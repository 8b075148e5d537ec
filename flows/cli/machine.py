"""The commands `study data`, `lane` and `serve`: dataset, lanes and server of this machine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flows.cli.options import FAILED, DataOption, LanesOption, LanesPerGpuOption, show_news
from flows.serving.serve import PartFailed, serve
from flows.shown import print_table
from study.spec import DataSlice, read_scheduler, read_study
from study.wording import count, shortened
from tasks.data import draw_contact_sheet, find_images, load_dataset, load_images, refuse_folder
from tasks.engines import choose_engine
from tasks.lanes import LaneHost, choose_devices


def lane_command(
    scheduler: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="The scheduler's address: `tls://host:8786`, or `tcp://host:8786`."
        ),
    ],
    lanes: LanesOption = None,
    lanes_per_gpu: LanesPerGpuOption = 1,
    data: DataOption = None,
) -> None:
    """Start this machine's lanes for `study run --scheduler ADDRESS` elsewhere; Ctrl-C stops them.

    It starts one lane per GPU, or one per CPU core, pinned to it. The dataset is fetched and verified first,
    once. If the scheduler is lost, the lanes try again until it is back. A lane needs only the scheduler: no
    shared folder, no access to the results, no Prefect. It runs everything that the scheduler sends:
    docs/cluster.md shows how TLS keeps others out.
    """
    address = read_scheduler(scheduler)
    devices = choose_devices(lanes, lanes_per_gpu)
    show_news("tasks.data.download")
    dataset = load_dataset(data)
    engine = choose_engine("auto", devices[0].kind)
    show_news("tasks.lanes.host")
    typer.echo(
        f"{count(len(devices), f'{devices[0].kind} lane')} for {address}, {engine} engine, dataset from "
        f"{dataset.source}; Ctrl-C stops them",
        err=True,
    )
    LaneHost(address, devices).serve()


def data_command(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]", help="Show the images of this study: a name in `studies/` or a path."
        ),
    ] = None,
    data: DataOption = None,
) -> None:
    """Get the dataset, verify it and keep it in the cache.

    With a study, read the images that it names, say what was found, count them by class, and draw the first
    nine as a contact sheet.
    """
    show_news("tasks.data.download")
    if study is not None:
        _show_images(read_study(study).data, data)
        return
    dataset = load_dataset(data)
    typer.echo(
        f"Fashion-MNIST from {dataset.source}, verified: {dataset.train_count} training and "
        f"{dataset.test_count} test images\nin {dataset.folder}"
    )


def _show_images(asked: DataSlice, folder: Path | None) -> None:
    """Print what a study's source of images holds, and how many images of each class the study uses."""
    refuse_folder(asked, folder)
    data = find_images(asked)
    dataset = load_images(data, folder)
    (images, labels), (_, test_labels) = dataset.train(), dataset.test()
    sheet = draw_contact_sheet(
        images, labels, (dataset.folder or Path()) / "first-nine.png", data.images.class_names, dataset.name
    )
    table = Table(title=f"{dataset.name}: {data.images.describe()}", show_footer=True)
    for heading, total, side in (
        ("label", "", "right"),
        ("class", "all", "left"),
        ("training images", f"{len(labels):,}", "right"),
        ("test images", f"{len(test_labels):,}", "right"),
    ):
        table.add_column(heading, total, justify="right" if side == "right" else "left")
    for label, name in enumerate(data.images.class_names):
        counted = [f"{int((each == label).sum()):,}" for each in (labels, test_labels)]
        table.add_row(str(label), escape(shortened(name, 60)), *counted)
    print_table(table, 120)
    typer.echo(f"from {data.source if data.is_own else dataset.source}, verified; in {dataset.folder}")
    for note in data.found.notes if data.found else ():
        typer.echo(note)
    typer.echo(f"the first nine training images: {sheet}")


def serve_command(
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port for server and UI.")
    ] = 4200,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; if other machines reach it, it needs a password, see the message.",
        ),
    ] = "127.0.0.1",
) -> None:
    """Start Prefect's server with its UI, the schedule and a worker, on this machine; Ctrl-C stops all."""
    try:
        serve(port, host)
    except PartFailed as failed:
        typer.echo(f"study: {failed}", err=True)
        raise typer.Exit(FAILED) from failed
