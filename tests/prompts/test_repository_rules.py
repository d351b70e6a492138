from claude_batch.prompts.repository_rules import CUT, MAX_CHARACTERS, RuleFile, select_rules

PAPERS = {
    "AGENTS.md": b"agents\n",
    "CLAUDE.md": b"claude\n",
    "REVIEW.md": b"review\n",
    "web/CLAUDE.md": b"web\n",
    "web/old/AGENTS.md": b"old web\n",
    "docs/CLAUDE.md": b"docs\n",
    ".github/copilot-instructions.md": b"copilot\n",
    "web/copilot-instructions.md": b"nobody's\n",
}


def paths(*asked: str) -> list[str]:
    return [paper.path for paper in select_rules(PAPERS, asked)]


def test_rules_of_the_root_apply_to_every_file() -> None:
    assert paths("a.py") == [
        "REVIEW.md",
        "CLAUDE.md",
        "AGENTS.md",
        ".github/copilot-instructions.md",
    ]


def test_nested_rules_apply_to_their_folder_and_the_nearest_come_first() -> None:
    found = paths("web/old/a.js", "website/a.js")
    assert found[:4] == ["REVIEW.md", "web/old/AGENTS.md", "web/CLAUDE.md", "CLAUDE.md"]
    assert "docs/CLAUDE.md" not in found


def test_equal_files_are_selected_once() -> None:
    twins = {"AGENTS.md": b"be kind\n", "CLAUDE.md": b"be kind"}
    assert select_rules(twins, ["a"]) == (RuleFile("CLAUDE.md", "be kind"),)


def test_a_file_that_only_names_another_is_ignored() -> None:
    pointing = {"AGENTS.md": b"be kind\n", "CLAUDE.md": b"@AGENTS.md\n"}
    assert select_rules(pointing, ["a"]) == (RuleFile("AGENTS.md", "be kind"),)


def test_a_long_file_is_cut_after_a_paragraph_and_marked() -> None:
    manual = "\n\n".join(f"{n} " + "x" * 900 for n in range(9)).encode()
    (paper,) = select_rules({"CLAUDE.md": manual}, ["a"])
    *kept, last = paper.text.split("\n\n")
    assert last == CUT
    assert [part[0] for part in kept] == ["0", "1", "2", "3"]
    assert len(paper.text) <= MAX_CHARACTERS


def test_the_limit_is_for_all_files_together() -> None:
    papers = {"CLAUDE.md": b"x" * 3_995, "REVIEW.md": b"y", "AGENTS.md": b"z\n\n" + b"z" * 99}
    assert [paper.path for paper in select_rules(papers, ["a"])] == ["REVIEW.md", "CLAUDE.md"]
    assert select_rules({"CLAUDE.md": b"x" * 9_000}, ["a"]) == ()


def test_invalid_utf_8_is_replaced() -> None:
    assert select_rules({"CLAUDE.md": b"\xff kind"}, ["a"]) == (
        RuleFile("CLAUDE.md", "\ufffd kind"),
    )
    assert select_rules({"CLAUDE.md": b" \n"}, ["a"]) == ()
