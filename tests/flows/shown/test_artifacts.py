"""What a run leaves on its page in Prefect's UI: the report alone."""

from pathlib import Path

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.runtime import flow_run

from flows.shown.artifacts import ProgressArtifact, show_report
from tasks.report.report import Report


def test_a_finished_run_has_one_artifact_which_says_where_the_report_is(server_here: None):
    @flow(persist_result=False)
    def run() -> str:
        progress = ProgressArtifact()
        show_report(Report(Path("/results/report.html"), Path("/results/report.md"), "# Answers"))
        progress.remove()
        return str(flow_run.get_id())

    ours = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run()]}})
    with get_client(sync_client=True) as client:
        (artifact,) = client.read_artifacts(artifact_filter=ours)
    assert artifact.key == "report"
    assert str(artifact.data).startswith("This report as a file: `/results/report.html` on ")
    assert str(artifact.data).endswith("\n\n# Answers")
