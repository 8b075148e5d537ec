"""The base of every frozen, checked value."""

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """A frozen, checked value; unknown keys, infinities and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
