"""The command `study lane`: give this machine's devices to a Dask scheduler elsewhere."""

from typing import Annotated

import typer

from flows.options import DataOption, LanesOption, LanesPerGpuOption, show_news, show_warnings


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

    One a GPU, or one a CPU core, pinned to it. The dataset is fetched and verified first, once. Where the
    scheduler is lost the lanes try again until it is back. A lane needs nothing but the scheduler: no shared
    folder, no access to the results, no Prefect. It runs what the scheduler hands it: docs/cluster.md says
    how TLS keeps others out.
    """
    show_warnings()
    from study.scheduler_address import read_scheduler
    from study.wording import count
    from tasks.choose_engine import choose_engine
    from tasks.dataset import load_dataset
    from tasks.devices import choose_devices
    from tasks.lane_host import LaneHost

    address = read_scheduler(scheduler)
    devices = choose_devices(lanes, lanes_per_gpu)
    dataset = load_dataset(data)
    engine = choose_engine("auto", devices[0].kind)
    show_news("tasks.lane_host")
    typer.echo(
        f"{count(len(devices), f'{devices[0].kind} lane')} for {address}, {engine} engine, dataset from "
        f"{dataset.source}; Ctrl-C stops them",
        err=True,
    )
    LaneHost(address, devices).serve()
