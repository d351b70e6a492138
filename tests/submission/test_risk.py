import pytest

from claude_batch.submission.budget_ladder import rank_by_risk

FILES = {
    "README.md": 9_000,
    "tests/test_auth.py": 8_000,
    "src/cart.py": 700,
    "src/auth/session.py": 30,
    "src/big.py": 5_000,
    ".github/workflows/ci.yml": 90,
    "src/a.py": 700,
}


def test_grave_paths_then_code_by_size_then_prose_and_tests_last() -> None:
    assert rank_by_risk(FILES) == [
        ".github/workflows/ci.yml",
        "src/auth/session.py",
        "src/big.py",
        "src/a.py",
        "src/cart.py",
        "README.md",
        "tests/test_auth.py",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "tests/a.py",
        "pkg/conftest.py",
        "a/test_login.py",
        "ui/login.spec.ts",
        "pkg/auth_test.go",
        "src/LoginTest.java",
    ],
)
def test_a_test_is_a_test_whatever_it_tests(path: str) -> None:
    assert rank_by_risk({path: 9, "a.md": 1}) == ["a.md", path]


@pytest.mark.parametrize(
    "path",
    ["db/migrations/0004.py", "Dockerfile", "app/Login.kt", "src/payments.rb", "deploy/.env"],
)
def test_a_grave_path_is_first_even_if_it_is_small(path: str) -> None:
    assert rank_by_risk({"contest.py": 500, path: 1})[0] == path
