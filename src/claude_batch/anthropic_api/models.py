"""Batches and models as the Anthropic API tells of them, and as we know them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt

BatchId = NewType("BatchId", str)


@dataclass(frozen=True)
class RemoteBatch:
    id: BatchId
    status: str  # in_progress, canceling, ended
    created_at: datetime
    expires_at: datetime
    requests: int
    counts: Mapping[str, int]  # processing, succeeded, errored, canceled, expired
    archived: bool  # its results are gone
    retry_after: float | None = None  # seconds that the API wants between two looks at it


@dataclass(frozen=True)
class BatchListing:
    """`at` is when it was made, by the service's clock; None: no answer said so."""

    batches: tuple[RemoteBatch, ...]
    listed_at: datetime | None = None


@dataclass(frozen=True)
class RemoteModel:
    """None: the API did not say."""

    id: str
    lifecycle: str  # active, deprecated, retired
    retires_at: datetime | None
    max_input_tokens: int | None
    max_tokens: int | None
    batch: bool | None
    structured_outputs: bool | None


class Wire(BaseModel):
    """What we use of an answer; the rest may grow."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WireBatch(Wire):
    id: str
    processing_status: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    request_counts: dict[str, int]
    archived_at: AwareDatetime | None = None

    def ours(self) -> RemoteBatch:
        return RemoteBatch(
            BatchId(self.id),
            self.processing_status,
            self.created_at.astimezone(UTC),
            self.expires_at.astimezone(UTC),
            sum(self.request_counts.values()),
            self.request_counts,
            self.archived_at is not None,
        )


class WirePage(Wire):
    data: tuple[WireBatch, ...]
    has_more: bool = False


class WireMessage(Wire):
    id: str
    type: str
    content: tuple[dict[str, object], ...]


class WireCount(Wire):
    input_tokens: NonNegativeInt


class Support(Wire):
    supported: bool | None = None


class Capabilities(Wire):
    batch: Support = Support()
    structured_outputs: Support = Support()


class WireModel(Wire):
    id: str
    lifecycle: str = "active"
    retires_at: AwareDatetime | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: Capabilities | None = None

    def ours(self) -> RemoteModel:
        can = self.capabilities or Capabilities()
        return RemoteModel(
            self.id,
            self.lifecycle,
            self.retires_at,
            self.max_input_tokens,
            self.max_tokens,
            can.batch.supported,
            can.structured_outputs.supported,
        )
