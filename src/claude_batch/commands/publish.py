"""`publish`: posts what is recorded. Looks first, posts once, records last; twice is once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from claude_batch import marker, placement, publication
from claude_batch.collection import findings_again, readable
from claude_batch.config import Config
from claude_batch.diff import Diff
from claude_batch.dossier import Dossier
from claude_batch.edges.claude import Claude
from claude_batch.edges.forge import Forge
from claude_batch.errors import ReviewRefused
from claude_batch.event import Answered, Closed, Lease, Post
from claude_batch.finding import Finding
from claude_batch.ledger import Ledger, View, Write
from claude_batch.origin import Readers
from claude_batch.placement import Dropped
from claude_batch.publication import Chosen, Fresh, Publication, Remote
from claude_batch.published import Published
from claude_batch.pull import DraftCheck, Pull
from claude_batch.receipt import Receipt
from claude_batch.summary import Coverage
from claude_batch.task import Task

LEASE = timedelta(minutes=10)
SILENCING = ("thumbs_down", "resolved", "wontfix")


@dataclass(frozen=True)
class Scene:
    """A pull request as it stands now: its diff, its tasks, its head's files."""

    pull: Pull
    diff: Diff
    tasks: tuple[Task, ...]
    read_head: Callable[[str], bytes | None]
    config: Config
    readers: Readers | None = None  # for findings that were made on earlier heads


@dataclass(frozen=True)
class Material:
    """What there is to say, and what stands already."""

    chosen: Chosen
    remote: Remote
    coverage: Coverage
    receipt: Receipt


@dataclass
class Publisher:
    ledger: Ledger
    forge: Forge
    claude: Claude
    run: str
    repo: str
    now: Callable[[], datetime]

    def close(self, pull: Pull) -> Published:
        """Never a comment on a closed pull request; that it is closed is remembered."""
        view = self.ledger.view()
        fact = Closed(
            at=self.now(), run=self.run, repo=self.repo, pr=pull.number, merged=pull.merged
        )
        if view.plan(pull.number) and pull.number not in view.closed:
            self.ledger.transact(lambda view: Write((fact,)))
        dossier = Dossier(view, pull.number, frozenset())
        findings = self._findings(dossier)
        return Published(
            pull.number,
            dropped=tuple(Dropped(finding, "closed") for finding in findings),
            receipt=dossier.receipt(),
            note=f"pull request {pull.number} is {'merged' if pull.merged else 'closed'}",
        )

    def publish(self, scene: Scene, *, dry_run: bool = False) -> Published:
        number = scene.pull.number
        view = self.ledger.view()
        if view.plan(number) is None:
            return Published(number, note=f"nothing was submitted for pull request {number}")
        if dry_run:
            material = self._gather(scene, view)
            would = self._plan(scene, material)
            outcome = self._outcome(scene, material, would, created=len(would.create))
            return replace(outcome, preview=would)
        leased = self._take_lease(number)
        if leased is None:
            return Published(number, note=f"another run is publishing on pull request {number}")
        facts: list[Post] = []
        try:
            return self._say(scene, self._gather(scene, leased), facts)
        finally:  # after a failure too: what stands is recorded, and the next run need not wait
            self._record(number, facts)

    # -- what there is to say -------------------------------------------------------------------

    def _gather(self, scene: Scene, view: View) -> Material:
        number = scene.pull.number
        dossier = Dossier(view, number, frozenset(task.id for task in scene.tasks))
        past = dossier.past(scene.diff, scene.readers) if scene.readers else None
        placed, dropped = placement.place(
            self._findings(dossier), scene.tasks, scene.read_head, past
        )
        chosen = publication.choose(
            placed,
            max_comments=scene.config.max_comments,
            silenced={signal.fingerprint for signal in view.signals if signal.what in SILENCING},
        )
        remote = Remote(
            [*self.forge.review_comments(number), *self.forge.comments(number)],
            {key: post for (pr, key), post in view.posts.items() if pr == number},
            self.forge.login(),
        )
        return Material(
            chosen._replace(dropped=[*dropped, *chosen.dropped]),
            remote,
            dossier.coverage(scene.pull.head_sha, scene.diff.left_out),
            dossier.receipt(),
        )

    def _plan(self, scene: Scene, material: Material) -> Publication:
        return publication.plan_publication(
            material.chosen,
            material.remote,
            scene.diff,
            material.coverage,
            material.receipt,
            fail_on=scene.config.fail_on,
        )

    def _findings(self, dossier: Dossier) -> list[Finding]:
        pairs = dossier.answers()
        own = [answered for asked, answered in pairs if asked.pr == dossier.pr]
        others = [answered for asked, answered in pairs if asked.pr != dossier.pr]
        found = dossier.concerning(
            list(self._said(dossier.view, own)), self._said(dossier.view, others)
        )
        return list({finding.id: finding for finding in found}.values())

    def _said(self, view: View, answers: Sequence[Answered]) -> Iterator[Finding]:
        """From the ledger; where it keeps ids only, once more from the API (29 days)."""
        yield from self.ledger.findings([one for one in answers if one.shard])
        missing = [one for one in answers if one.findings and not one.shard and one.batch]
        for batch in dict.fromkeys(one.batch for one in missing if one.batch):
            wanted = {(one.intent, one.n) for one in missing if one.batch == batch}
            asked = [row.asked for row in view.rows if (row.asked.intent, row.asked.n) in wanted]
            yield from findings_again(asked, readable(self.claude.results(batch)))

    # -- saying it ------------------------------------------------------------------------------

    def _say(self, scene: Scene, material: Material, facts: list[Post]) -> Published:
        """`facts` grows with each thing that stands."""
        planned = self._plan(scene, material)
        refused = self._post(scene, planned.create, facts)
        created = len(facts)
        if refused:
            told = replace(material.remote, refused={fresh.fingerprint for fresh in refused})
            planned = self._plan(scene, replace(material, remote=told))
        facts.extend(self._edit(scene, planned))
        facts.extend(self._summarise(scene, planned))
        return self._outcome(scene, material, planned, created=created)

    def _record(self, number: int, facts: Sequence[Post]) -> None:
        scope = f"publish:{number}"

        def decide(view: View) -> Write:
            mine = view.leases[scope].owner == self.run  # after ten minutes it may be another's
            return Write((*facts, self._lease(scope, self.now())) if mine else tuple(facts))

        self.ledger.transact(decide)

    def _take_lease(self, number: int) -> View | None:
        """The ledger as it stands under the lease; None: another run has it."""
        scope, won = f"publish:{number}", False

        def decide(view: View) -> Write:
            nonlocal won
            now = self.now()
            won = view.lease_holder(scope, self.run, now) is None
            return Write((self._lease(scope, now + LEASE),)) if won else Write()

        view = self.ledger.transact(decide)
        return view if won else None

    def _lease(self, scope: str, until: datetime) -> Lease:
        return Lease(
            at=self.now(), run=self.run, repo=self.repo, scope=scope, owner=self.run, until=until
        )

    def _post(self, scene: Scene, fresh: Sequence[Fresh], facts: list[Post]) -> list[Fresh]:
        """Reviews of at most thirty comments. A refused one is halved until the fault is alone."""
        refused: list[Fresh] = []
        waiting = list(publication.reviews(fresh))
        while waiting:
            part = waiting.pop(0)
            try:
                facts.extend(self._review(scene, part))
            except ReviewRefused:
                half = len(part) // 2
                waiting[:0] = [part[:half], part[half:]] if half else []
                refused += [] if half else part
        return refused

    def _review(self, scene: Scene, part: Sequence[Fresh]) -> Iterator[Post]:
        number, head = scene.pull.number, scene.pull.head_sha
        stands = self.forge.post_review(number, head, "", [fresh.comment for fresh in part])
        ids = {marker.read(one.body): one.id for one in stands}
        for fresh in part:
            if fresh.fingerprint in ids:
                yield self._fact(
                    scene, "comment", fresh.fingerprint, ids[fresh.fingerprint], fresh.comment.body
                )

    def _edit(self, scene: Scene, final: Publication) -> Iterator[Post]:
        for known in final.edit:
            self.forge.edit_review_comment(known.id, known.body)
        for known in dict.fromkeys([*final.edit, *final.found]):
            yield self._fact(scene, "comment", known.fingerprint, known.id, known.body)

    def _summarise(self, scene: Scene, final: Publication) -> Iterator[Post]:
        if final.summary is not None and final.summary_due:
            remote_id = final.summary_id
            if remote_id is None:
                remote_id = self.forge.post_comment(scene.pull.number, final.summary).id
            else:
                self.forge.edit_comment(remote_id, final.summary)
            yield self._fact(scene, "summary", marker.SUMMARY, remote_id, final.summary)
        if final.check_due:
            remote_id = self.forge.check_run(final.check)
            yield self._fact(scene, "check", "check", remote_id, final.check)

    def _fact(
        self,
        scene: Scene,
        what: Literal["comment", "summary", "check"],
        key: str,
        remote_id: int,
        body: str | DraftCheck,
    ) -> Post:
        return Post(
            at=self.now(),
            run=self.run,
            repo=self.repo,
            pr=scene.pull.number,
            what=what,
            key=key,
            remote_id=remote_id,
            sha=publication.sha_of(body),
            head=scene.pull.head_sha,
        )

    def _outcome(
        self, scene: Scene, material: Material, final: Publication, *, created: int
    ) -> Published:
        fresh_summary = final.summary_due and final.summary_id is None
        return Published(
            scene.pull.number,
            posted=created + fresh_summary,
            updated=len(final.edit) + (final.summary_due and not fresh_summary),
            unchanged=final.unchanged + (final.summary is not None and not final.summary_due),
            dropped=final.dropped,
            placed=(*material.chosen.inline, *material.chosen.folded),
            failing=final.check.conclusion == "failure",
            receipt=material.receipt,
        )
