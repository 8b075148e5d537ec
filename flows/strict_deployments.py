"""Make every deployment of the study refuse parameters that the flow does not have.

Prefect checks the parameters of a new run against the deployment's schema, but the schema it writes says
nothing of keys beyond the flow's: `lans: 4` would be let through, and the run crash when a worker starts it.
Run as `python -m flows.strict_deployments` after `prefect deploy`, with PREFECT_API_URL set.
"""

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

FLOW = "study"


def forbid_unknown_parameters() -> None:
    """Forbid further keys in the schema of each deployment, whichever server it is on."""
    with get_client(sync_client=True) as client:
        flows = FlowFilter(name=FlowFilterName(any_=[FLOW]))
        for deployment in client.read_deployments(flow_filter=flows):
            schema = {**(deployment.parameter_openapi_schema or {}), "additionalProperties": False}
            client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))


if __name__ == "__main__":
    forbid_unknown_parameters()
