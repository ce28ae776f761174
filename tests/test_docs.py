"""The code of pages whose examples stand on their own, run as it is printed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    "page", ["estimators", "networks", "optimizers", "unsupervised", "own_loops", "own_rules", "fleet"]
)
def test_code_of_a_page_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), f"{page}.md", "exec"), {"__name__": "page"})


@pytest.mark.slow
def test_code_of_the_page_about_agents_runs(monkeypatch, tmp_path):
    """With fewer steps, so that agents learn nothing."""
    pytest.importorskip("gymnasium")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "rl.md").read_text(), flags=re.DOTALL)
    assert len(blocks) > 5
    if importlib.util.find_spec("mpe2") is None:
        blocks = [block for block in blocks if "mpe2" not in block]
    code, n = re.subn(r"learn\(\d[\d_]*", "learn(150", "\n".join(blocks))
    assert n > 3
    code = re.sub(r"learning_starts=\d+", "learning_starts=100", code)
    exec(compile(code.replace("n_eval_episodes=10", "n_eval_episodes=1"), "rl.md", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("page", ["grid", "grid_environment"])
def test_code_of_the_pages_about_the_grid_runs(page, monkeypatch, tmp_path):
    """With fewer generations, so that agents learn nothing."""
    if page == "grid_environment":
        pytest.importorskip("pettingzoo")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), flags=re.DOTALL))
    exec(compile(code.replace("length=150", "length=1"), f"{page}.md", "exec"), {"__name__": "page"})


def test_code_of_the_page_about_pytorch_runs(monkeypatch, tmp_path):
    """Traced, but without a compiler, which takes half a minute."""
    pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / "torch.md").read_text(), flags=re.DOTALL))
    code, n = re.subn("fullgraph=True", "fullgraph=True, backend='aot_eager'", code)
    assert n == 1
    exec(compile(code, "torch.md", "exec"), {"__name__": "page"})
