"""The commands `study data`, `lane` and `serve`: dataset, lanes and server of this machine."""

from typing import Annotated

import typer

from flows.cli.options import FAILED, DataOption, LanesOption, LanesPerGpuOption, show_news
from flows.serving.serve import PartFailed, serve
from study.spec import read_scheduler
from study.wording import count
from tasks.data import load_dataset
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


def data_command(data: DataOption = None) -> None:
    """Get the dataset, verify it and keep it in the cache."""
    show_news("tasks.data.download")
    dataset = load_dataset(data)
    typer.echo(
        f"Fashion-MNIST from {dataset.source}, verified: {dataset.train_count} training and "
        f"{dataset.test_count} test images\nin {dataset.folder}"
    )


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
