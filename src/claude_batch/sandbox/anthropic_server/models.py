"""The models that the sandbox knows, and what each takes. As of 2026-11-22."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    id: str
    name: str
    released: str
    max_tokens: int = 128_000
    max_input_tokens: int = 1_000_000
    prefill: bool = False  # may the messages end with the start of the answer
    forced_tools: bool = True
    always_thinks: bool = False
    cache_minimum: int = 512  # tokens; a shorter prefix is silently not cached
    retires: str | None = None

    def json(self) -> dict[str, object]:
        yes, no = {"supported": True}, {"supported": False}
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.name,
            "created_at": _instant(self.released),
            "lifecycle": "deprecated" if self.retires else "active",
            "deprecated_at": _instant(self.released) if self.retires else None,
            "retires_at": _instant(self.retires) if self.retires else None,
            "line": None,
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
            "capabilities": {
                "batch": yes,
                "citations": yes,
                "code_execution": yes,
                "context_management": yes,
                "effort": {**yes, "low": yes, "medium": yes, "high": yes, "max": yes, "xhigh": yes},
                "image_input": yes,
                "pdf_input": yes,
                "server_tools": {**yes, "code_execution": yes, "web_search": yes},
                "structured_outputs": yes,
                "thinking": {
                    **yes,
                    "types": {
                        "adaptive": yes,
                        "between_tools": no,
                        "disabled": no if self.always_thinks else yes,
                        "enabled": yes,
                    },
                },
            },
        }


def _instant(day: str) -> str:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).isoformat()


def _newest(name: str, title: str, released: str, *, always_thinks: bool) -> CatalogueModel:
    return CatalogueModel(name, title, released, forced_tools=False, always_thinks=always_thinks)


CATALOGUE = {
    model.id: model
    for model in (
        _newest("claude-fable-5-2", "Claude Fable 5.2", "2026-11-09", always_thinks=True),
        _newest("claude-fable-5-1", "Claude Fable 5.1", "2026-08-20", always_thinks=True),
        _newest("claude-opus-5-5", "Claude Opus 5.5", "2026-09-22", always_thinks=True),
        _newest("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-28", always_thinks=False),
        CatalogueModel("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-07"),
        CatalogueModel("claude-opus-5", "Claude Opus 5", "2026-06-01"),
        CatalogueModel("claude-sonnet-5", "Claude Sonnet 5", "2026-05-01", cache_minimum=1024),
        CatalogueModel("claude-opus-4-8", "Claude Opus 4.8", "2026-04-01", cache_minimum=1024),
        CatalogueModel("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17", cache_minimum=1024),
        *(
            CatalogueModel(
                name,
                "Claude Haiku 4.5",
                "2025-10-01",
                max_tokens=64_000,
                max_input_tokens=200_000,
                prefill=True,
                cache_minimum=4096,
                retires="2027-01-15",
            )
            for name in ("claude-haiku-4-5", "claude-haiku-4-5-20251001")
        ),
    )
}
