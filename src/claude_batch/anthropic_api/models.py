"""The parts of the Anthropic API's answers that the program reads."""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple, NewType

from pydantic import (
    AfterValidator,
    AliasPath,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
)

BatchId = NewType("BatchId", str)
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


class ApiFields(BaseModel):
    # The API may add fields at any time.
    model_config = ConfigDict(frozen=True, extra="ignore")


class RemoteBatch(ApiFields):
    """A batch as the API last reported it."""

    id: BatchId
    status: str = Field(validation_alias="processing_status")  # in_progress, canceling, ended
    created_at: UtcTime
    expires_at: UtcTime
    # processing, succeeded, errored, canceled, expired
    counts: dict[str, int] = Field(validation_alias="request_counts")
    archived_at: AwareDatetime | None = None  # when its results were deleted
    retry_after: float | None = None  # seconds until the next poll; from the answer's headers

    @property
    def requests(self) -> int:
        return sum(self.counts.values())


class BatchPage(ApiFields):
    data: tuple[RemoteBatch, ...]
    has_more: bool = False


class BatchListing(NamedTuple):
    """The batches of a workspace, newest first."""

    batches: tuple[RemoteBatch, ...]
    listed_at: datetime | None = None  # by the API's clock; None: the answer has no date


class MessageResponse(ApiFields):
    """An answer of the Messages API, as far as it proves that a message was made."""

    id: str
    type: str
    content: tuple[dict[str, object], ...]


class TokenCountResponse(ApiFields):
    input_tokens: NonNegativeInt


def _capability(name: str) -> AliasPath:
    return AliasPath("capabilities", name, "supported")


class RemoteModel(ApiFields):
    """A model and its abilities. A field is None where the API does not report it."""

    id: str
    lifecycle: str = "active"  # or deprecated, retired
    retires_at: AwareDatetime | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    batch: bool | None = Field(None, validation_alias=_capability("batch"))
    structured_outputs: bool | None = Field(
        None, validation_alias=_capability("structured_outputs")
    )
