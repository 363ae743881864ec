"""Workflows run on a forge only: what of them can be compared with the code, and with what they may never do."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lab.progress import Progress
from lab.toolchain import build
from lab.toolchain.pins import CHECKERS
from tests.support.commands import options_of
from tests.support.stacks import ROOT

FOLDER = ROOT / ".github" / "workflows"
EXAMPLES = ROOT / "examples" / "ci"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
FORGEJO = sorted((EXAMPLES / "forgejo").glob("*.yml"))
AGENCY = EXAMPLES / "agency" / "preview.yml"
"""For a repository of an agency: it runs a release of this project in place of the Makefile."""
GITLAB = EXAMPLES / "gitlab" / ".gitlab-ci.yml"
MERGED = {"push", "schedule", "workflow_dispatch"}
"""Every other event somebody without the right to merge can trigger. A tag may be of such a commit too: its job gets no
secret, and its identity is the tag's, which no role of an environment trusts."""
REVIEWED = {"preview-of-code"}
"""Environments with required reviewers and without a secret: docs/howto/run-ci.md."""
MAIN = "github.ref == 'refs/heads/main'"


class Job(NamedTuple):
    """One job, with what its workflow adds to it."""

    file: str
    name: str
    triggers: frozenset[str]
    pushed: frozenset[str]
    """What a push must be of: `branches`, `tags`; empty for every branch."""
    body: dict[str, Any]
    permissions: dict[str, str]
    text: str
    """Everything that it can read: its own text, and the environment of the workflow."""

    @property
    def environment(self) -> str:
        named = self.body.get("environment", "")
        return str(named["name"] if isinstance(named, dict) else named)

    @property
    def unmerged(self) -> frozenset[str]:
        return self.triggers - MERGED

    @property
    def trusted(self) -> bool:
        """Whether it gets a secret of a forge, or an identity that others trust."""
        return bool(self.secrets) or self.permissions.get("id-token") == "write"

    @property
    def runners(self) -> frozenset[str]:
        wanted = self.body.get("runs-on", ())
        return frozenset([wanted] if isinstance(wanted, str) else wanted)

    @property
    def secrets(self) -> set[str]:
        return set(re.findall(r"secrets\.(\w+)", self.text)) | ({"all"} if "secrets: inherit" in self.text else set())


def load(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def jobs_of(file: str, text: str) -> Iterator[Job]:
    workflow = load(text)
    on = workflow[True]  # YAML reads a bare `on` as true
    triggers = frozenset([on] if isinstance(on, str) else on)
    push = on.get("push") if isinstance(on, dict) else None
    pushed = frozenset(f"{kind} {one}" for kind in ("branches", "tags") for one in (push or {}).get(kind, ()))
    for name, body in workflow["jobs"].items():
        given = body.get("permissions", workflow.get("permissions"))
        permissions = {"all": str(given)} if not isinstance(given, dict) else given
        text = yaml.safe_dump({"job": body, "env": workflow.get("env")})
        yield Job(file, name, triggers, pushed, body, permissions, text)


def authority_problems(job: Job) -> list[str]:
    """What an unmerged branch could reach through this job."""
    found = []
    unmerged = job.unmerged
    # From any branch, with that branch's text.
    dispatched = sorted(job.triggers & {"workflow_dispatch"})
    limited = job.pushed and job.pushed <= {"branches main", "tags v*"}
    dispatched += ["push"] if "push" in job.triggers and not limited else []
    bound = job.environment and MAIN in str(job.body.get("if", ""))
    if unmerged and job.secrets:
        found.append(f"{', '.join(sorted(unmerged))} gets the secrets {', '.join(sorted(job.secrets))}")
    if unmerged and job.permissions.get("id-token") == "write":
        found.append("an unmerged change gets an identity")
    if unmerged and job.environment and job.environment not in REVIEWED:
        found.append(f"an unmerged change gets the environment {job.environment}")
    if job.secrets and not job.environment:
        found.append("its secrets are of the repository: every branch can read them")
    if dispatched and job.trusted and not bound:
        found.append(f"{', '.join(dispatched)} of any branch gets its secrets or identity")
    if job.trusted and (stored := re.findall(r"\S*(?:actions/cache(?:/restore)?|download-artifact)@", job.text)):
        found.append(f"it takes over what another job has stored: {', '.join(stored)}")
    runs_change = "pull_request.head" in yaml.safe_dump([step.get("with") for step in job.body["steps"]])
    if unmerged and runs_change and job.environment not in REVIEWED:
        found.append("it checks out an unmerged change without a reviewer")
    writes = {name for name, level in job.permissions.items() if level == "write"}
    if "pull_request" in unmerged and writes:
        found.append(f"a workflow that a pull request can change may write {', '.join(sorted(writes))}")
    if set(job.permissions) == {"all"}:
        found.append("its permissions are not listed")
    return [f"{job.file}, {job.name}: {problem}" for problem in found]


def all_jobs() -> list[Job]:
    return [job for path in (*WORKFLOWS, *FORGEJO) for job in jobs_of(path.name, path.read_text())]


@pytest.mark.parametrize("path", [*WORKFLOWS, EXAMPLES / "forgejo" / "preview.yml", AGENCY], ids=lambda path: path.name)
def test_an_unmerged_branch_reaches_no_secret_and_no_identity(path: Path) -> None:
    """Finding 2. Secrets of environments, which only jobs of main get; none in a job that a pull request starts."""
    assert [problem for job in jobs_of(path.name, path.read_text()) for problem in authority_problems(job)] == []


OLD = {
    "preview.yml": """
on: pull_request
permissions: {contents: read}
jobs:
  preview:
    permissions: {contents: read, pull-requests: write}
    steps:
      - {uses: actions/checkout@x}
      - run: .venv/bin/vds preview-comment
        env: {GITHUB_TOKEN: "${{ github.token }}", PULUMI_CONFIG_PASSPHRASE: "${{ secrets.PULUMI_CONFIG_PASSPHRASE }}"}
""",
    "drift.yml": """
on: {schedule: [], workflow_dispatch: }
permissions: {contents: read}
jobs:
  drift:
    environment: oslo-read
    env: {PULUMI_CONFIG_PASSPHRASE: "${{ secrets.PULUMI_CONFIG_PASSPHRASE }}"}
    steps: [{run: pulumi preview}]
""",
    "up.yml": """
on: {push: {branches: [main]}, workflow_dispatch: }
permissions: {contents: read}
jobs:
  up:
    environment: "${{ matrix.stack }}"
    env: {PULUMI_CONFIG_PASSPHRASE: "${{ secrets.PULUMI_CONFIG_PASSPHRASE }}"}
    steps: [{run: pulumi up}]
""",
}
"""What the workflows had before."""


@pytest.mark.parametrize(("name", "count"), [("preview.yml", 3), ("drift.yml", 1), ("up.yml", 1)])
def test_the_workflows_of_before_do_not_pass(name: str, count: int) -> None:
    [job] = jobs_of(name, OLD[name])
    assert len(authority_problems(job)) == count, authority_problems(job)


@pytest.mark.parametrize(
    "change",
    [
        {"permissions": {"id-token": "write"}},
        {"environment": "oslo"},
        {"env": {"X": "${{ secrets.X }}"}},
        {"steps": [{"uses": "actions/checkout@x", "with": {"ref": "${{ github.event.pull_request.head.sha }}"}}]},
        {"permissions": {"contents": "write"}},
    ],
)
def test_each_way_to_production_is_found(change: dict[str, Any]) -> None:
    body = {"permissions": {"contents": "read"}, "steps": [{"run": "make"}]}
    text = yaml.safe_dump({True: "pull_request", "jobs": {"x": body}})
    assert [authority_problems(job) for job in jobs_of("x.yml", text)] == [[]]
    text = yaml.safe_dump({True: "pull_request", "jobs": {"x": body | change}})
    assert all(authority_problems(job) for job in jobs_of("x.yml", text))


@pytest.mark.parametrize(
    ("on", "step", "problem"),
    [
        ({"push": {"branches": ["main"]}}, {"run": "make"}, None),
        ({"push": {"tags": ["v*"]}}, {"run": "make"}, None),
        ("push", {"run": "make"}, "push of any branch gets its secrets"),
        ({"push": {"branches": ["main", "feature/*"]}}, {"run": "make"}, "push of any branch gets its secrets"),
        ({"pull_request_review": None}, {"run": "make"}, "an unmerged change gets an identity"),
        ({"push": {"branches": ["main"]}}, {"uses": "actions/cache@x"}, "what another job has stored: actions/cache@"),
        ({"push": {"tags": ["v*"]}}, {"uses": "actions/download-artifact@x"}, "what another job has stored"),
    ],
)
def test_an_identity_is_of_what_was_merged_and_of_nothing_that_another_job_has_left(
    on: Any, step: dict[str, str], problem: str | None
) -> None:
    body = {"permissions": {"id-token": "write"}, "steps": [step]}
    [job] = jobs_of("x.yml", yaml.safe_dump({True: on, "jobs": {"x": body}}))
    found = authority_problems(job)
    assert (found == []) if problem is None else any(problem in one for one in found)


@pytest.mark.parametrize("files", [WORKFLOWS, FORGEJO], ids=["github", "forgejo"])
def test_no_unmerged_change_runs_on_the_machine_that_gets_the_secrets(files: list[Path]) -> None:
    """A job leaves what it likes on a machine: files, a changed program, a process."""
    jobs = [job for path in files for job in jobs_of(path.name, path.read_text())]
    trusted = {label for job in jobs if job.secrets for label in job.runners}
    assert trusted
    assert [job.name for job in jobs if job.unmerged and job.runners & trusted] == []


def test_gitlab_runs_an_unmerged_change_on_another_runner_and_without_an_identity() -> None:
    content = load(GITLAB.read_text())
    preview, trusted = content["default"]["tags"], content[".oslo"]["tags"]
    assert not set(preview) & set(trusted)
    for name, job in content.items():
        rules = str(job.get("rules", "")) if isinstance(job, dict) else ""
        if "merge_request_event" in rules:
            assert job["extends"] == ".change"
            assert not job.keys() & {"tags", "id_tokens", "secrets"}
            assert job.get("environment", {}).get("name", "preview-of-code") == "preview-of-code"
        elif rules:
            assert job["extends"] == ".oslo", name
            assert rules.count("if") == rules.count("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH")


def test_the_job_that_has_a_token_executes_nothing_of_the_change() -> None:
    """Findings 3 and 25: it runs the default branch's code on an artifact that is parsed."""
    [job] = jobs_of("comment.yml", (FOLDER / "comment.yml").read_text())
    assert job.triggers == job.unmerged == {"workflow_run"}
    assert job.permissions == {"actions": "read", "contents": "read", "pull-requests": "write"}
    for step in job.body["steps"]:
        if "checkout" in step.get("uses", ""):
            assert set(step["with"]) == {"fetch-depth", "persist-credentials"}
    assert [step["run"] for step in job.body["steps"] if "make" in step.get("run", "")] == ["make ci-comment"]
    holders = [job.name for job in all_jobs() if "github.token" in job.text and job.triggers & {"pull_request"}]
    assert holders == []


def test_the_base_s_program_runs_in_the_preview_and_the_change_s_only_behind_reviewers() -> None:
    data, program = jobs_of("preview.yml", (FOLDER / "preview.yml").read_text())
    for job in (data, program):
        commands = [step["run"] for step in job.body["steps"] if "run" in step]
        assert commands[:3] == ['git checkout --quiet --detach "$BASE"', ".ci/pulumi", "make ci-preview"]
    assert not data.environment
    assert program.environment == "preview-of-code"
    assert program.body["needs"] == "data"


@pytest.mark.parametrize("path", [*WORKFLOWS, *FORGEJO, AGENCY], ids=lambda path: path.name)
def test_a_workflow_can_do_nothing_that_it_does_not_say(path: Path) -> None:
    workflow = load(path.read_text())
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        known = {"actions", "attestations", "contents", "id-token", "pull-requests"}
        assert set(job.get("permissions", {})) <= known
        assert "timeout-minutes" in job
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "give it as an environment variable"
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", [*WORKFLOWS, *FORGEJO, AGENCY], ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, rest in used:
        assert re.fullmatch(r"(https://data\.forgejo\.org/)?[\w-]+/[\w/-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest), "the version is for the reader"


def test_zizmor_finds_nothing() -> None:
    """`zizmor: ignore` stands only where a reason stands beside it."""
    program = Path(sys.executable).with_name("zizmor")
    words = [str(program), "--offline", "--no-progress", "--persona=pedantic", ".github", *map(str, (*FORGEJO, AGENCY))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (*WORKFLOWS, *FORGEJO, AGENCY):
        ignored = re.findall(r"zizmor: ignore\[[\w,-]+\](.*)", path.read_text())
        assert all(len(reason) > 20 for reason in ignored)


def actionlint(*files: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The linter of workflows, with shellcheck for their scripts."""
    program = build.ensure(Progress(total=1, quiet=True), CHECKERS).path("actionlint")
    shellcheck = str(Path(sys.executable).with_name("shellcheck"))
    config = str(ROOT / ".github" / "actionlint.yaml")
    words = [str(program), "-no-color", "-config-file", config, "-pyflakes=", "-shellcheck", shellcheck, *files]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def test_actionlint_finds_nothing() -> None:
    done = actionlint(*(str(path.relative_to(ROOT)) for path in (*WORKFLOWS, *FORGEJO, AGENCY)))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("runs-on: [self-hosted, norway]", "runs-on: [self-hosted, norwya]", "runner-label"),
        ("${{ github.ref", "${{ github.reff", "expression"),
        ("needs: plan", "needs: plam", "job-needs"),
        ("run: make ci-plan", "run: echo $X >a b", "shellcheck"),
    ],
)
def test_actionlint_finds_a_mistake_of_each_kind(tmp_path: Path, old: str, new: str, found: str) -> None:
    text = (FOLDER / "up.yml").read_text()
    assert old in text
    (tmp_path / "up.yml").write_text(text.replace(old, new, 1))
    done = actionlint("up.yml", folder=tmp_path)
    assert done.returncode == 1
    assert f"[{found}]" in done.stdout


@pytest.mark.parametrize(
    ("schema", "path"),
    [*(("github-workflows", path) for path in (*WORKFLOWS, *FORGEJO, AGENCY)), ("gitlab-ci", GITLAB)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_definition_has_its_forge_s_form(schema: str, path: Path) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    words = [str(program), "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def runs(path: Path) -> Iterator[str]:
    """Every line of shell in a definition."""
    content = load(path.read_text())
    for job in content.get("jobs", {}).values():
        yield from (line for step in job["steps"] for line in str(step.get("run", "")).splitlines())
    for job in content.values() if path == GITLAB else ():
        if isinstance(job, dict):
            yield from (*job.get("script", ()), *job.get("after_script", ()))


def targets() -> dict[str, str]:
    """The Makefile's targets of CI, with their commands."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    return dict(re.findall(r"^(ci-[a-z]+):[^\n]*\n((?:\t[^\n]*\n)+)", text, re.M))


def test_every_forge_runs_the_same_commands_and_each_exists() -> None:
    used = {path: set(re.findall(r"make (ci-\w+)", "\n".join(runs(path)))) for path in (*WORKFLOWS, *FORGEJO, GITLAB)}
    assert set.union(*used.values()) == set(targets())
    github = set.union(*(used[path] for path in WORKFLOWS))
    assert set.union(*(used[path] for path in FORGEJO)) == github
    assert used[GITLAB] == github - {"ci-comment"}  # GitLab shows the artifact in the merge request
    for path in (*FORGEJO, GITLAB):
        for line in runs(path):
            assert re.match(r"(PROGRAM=change )?make ci-\w+$|git (checkout|fetch|worktree) ", line), line


def test_every_option_of_our_commands_is_there() -> None:
    for name, commands in targets().items():
        called = re.findall(r"\$\(VDS\)((?: [a-z-]+)+)([^\n;]*)", commands)
        for words, rest in called:
            given = commands if "$$@" in rest else rest  # `set --` has gathered them before
            every = words.split() + re.findall(r"(?<=\s)--[a-z-]+", given)
            known, required = options_of(every)
            assert {word for word in every if word.startswith("--")} <= known, name
            assert required <= set(every), name


def test_the_workflow_of_an_agency_calls_our_commands_with_options_that_they_have() -> None:
    called = [line.split()[1:] for line in runs(AGENCY) if line.startswith("$VDS ")]
    assert [words[0] for words in called] == ["preview-comment", "post-comment"]
    for words in called:
        known, required = options_of(words)
        given = {word for word in words if word.startswith("--")}
        assert required <= given <= known


def test_the_engine_never_runs_without_the_pack_or_the_login() -> None:
    lines = [line for commands in targets().values() for line in commands.splitlines() if " pulumi " in line]
    assert len(lines) == 2
    for line in lines:
        assert "--policy-pack policies" in line
        assert "--non-interactive" in line
        assert line.startswith("\t$(LOGIN) pulumi ")
    assert not [
        line for path in (*WORKFLOWS, *FORGEJO, GITLAB) for line in runs(path) if re.search(r"\bpulumi (up|pre)", line)
    ]


def test_make_hands_commits_to_the_shell_as_variables_and_not_as_text() -> None:
    for commands in targets().values():
        assert not re.search(r"\$[({](BASE|HEAD|PROGRAM|STACKS?|LINK)[)}]", commands)


def test_make_has_the_targets_and_the_commands_as_a_shell_reads_them(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "STACKS": "oslo", "STACK": "oslo", "BASE": "a b", "HEAD": "$(id)"}
    for name in targets():
        plan = subprocess.run(
            [shutil.which("make") or "make", "--dry-run", "--old-file=.venv/ready", name],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert plan.returncode == 0, plan.stderr
        assert subprocess.run(["sh", "-n"], input=plan.stdout, text=True, capture_output=True).returncode == 0


def test_only_an_environment_gets_to_change_anything() -> None:
    for job in all_jobs():
        if "ci-up" in job.text or "ci-reboot" in job.text:
            workflow = load(next(path for path in (*WORKFLOWS, *FORGEJO) if path.name == job.file).read_text())
            assert workflow["concurrency"]["cancel-in-progress"] is False
            assert job.environment or "norway" in job.runners, "Forgejo has no environments"


@pytest.mark.parametrize("path", [FOLDER / "reboot.yml", EXAMPLES / "forgejo" / "reboot.yml", GITLAB], ids=str)
def test_a_job_reboots_nodes_on_every_forge_and_does_nothing_else(path: Path) -> None:
    assert "make ci-reboot" in "\n".join(runs(path))
    assert targets()["ci-reboot"].strip().endswith('$(LOGIN) $(VDS) reboot --stack "$$STACK"')
    if path != GITLAB:
        [job] = jobs_of(path.name, path.read_text())
        assert job.triggers == {"schedule", "workflow_dispatch"}
        assert [step["run"] for step in job.body["steps"] if "make" in step.get("run", "")] == ["make ci-reboot"]


def test_every_workflow_has_the_same_list_of_stacks() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    lists = re.findall(r"(?:stack: \[|STACKS: )([a-z, ]+?)(?:\]| #)", text)
    assert len(lists) == 6
    assert len(set(lists)) == 1
    assert all((ROOT / f"Pulumi.{stack.strip()}.yaml").exists() for stack in lists[0].split(","))


def test_a_failed_update_stops_the_next_environment() -> None:
    _, update = jobs_of("up.yml", (FOLDER / "up.yml").read_text())
    assert (update.body["strategy"]["max-parallel"], update.body["strategy"]["fail-fast"]) == (1, True)
    assert update.body["needs"] == "plan"


def test_what_says_how_nodes_are_is_no_artifact_of_a_public_repository() -> None:
    """Finding 30: doctor.json, the facts and the evidence."""
    for name in ("up.yml", "drift.yml"):
        for job in jobs_of(name, (FOLDER / name).read_text()):
            for step in job.body["steps"]:
                if "upload-artifact" in step.get("uses", "") or "cache/save" in step.get("uses", ""):
                    assert "vars.PRIVATE_REPOSITORY == 'true'" in step["if"]
                assert step.get("with", {}).get("name", "-${{ env.STACK }}").endswith("-${{ env.STACK }}")
    assert "doctor.json" not in targets()["ci-doctor"].replace(">doctor.json", ""), "nor in the log"


def test_the_plan_before_an_update_gets_no_passphrase() -> None:
    plan, _ = jobs_of("up.yml", (FOLDER / "up.yml").read_text())
    assert "PULUMI_CONFIG_PASSPHRASE" not in plan.text
    assert [step["run"] for step in plan.body["steps"] if "make" in step.get("run", "")] == ["make ci-plan"]
    assert "pulumi preview" not in targets()["ci-plan"]


def test_evidence_is_made_whether_or_not_the_update_succeeds() -> None:
    _, update = jobs_of("up.yml", (FOLDER / "up.yml").read_text())
    [made] = [step for step in update.body["steps"] if step.get("run") == "make ci-evidence"]
    assert made["if"] == "${{ !cancelled() }}"


def test_a_release_is_made_of_a_tag_that_main_allows_and_has_an_sbom_and_a_provenance() -> None:
    [job] = jobs_of("release.yml", (FOLDER / "release.yml").read_text())
    text = "\n".join(step.get("run", "") for step in job.body["steps"])
    order = ["verify-tag", "make test-fast", ".ci/sbom.py dist/", "sha256sum", "gh release create"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "git show origin/main:.github/allowed_signers" in text, "not the tag's own list"
    assert any("attest-build-provenance" in step.get("uses", "") for step in job.body["steps"])
    assert not job.secrets


def owners() -> dict[str, list[str]]:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {pattern: names for pattern, *names in rows}


def owner_of(file: str) -> list[str]:
    """Of a file, as GitHub finds it for patterns of this form: the last one that fits."""
    fits = [names for pattern, names in owners().items() if pattern == "*" or _fits(pattern, file)]
    return fits[-1]


def _fits(pattern: str, file: str) -> bool:
    path = pattern.removeprefix("/")
    return file.startswith(path) if path.endswith("/") else file == path


@pytest.mark.parametrize(
    "file",
    [
        *(".github/workflows/up.yml", ".github/CODEOWNERS", "policies/rules/residency.py", "vds/doctor/command.py"),
        *("components/nodes/settings/node.sh", "__main__.py", "Makefile", "setup.sh", "pyproject.toml", ".ci/run"),
        *("requirements.txt", "charts.lock.yaml", "lab/toolchain/go.txt", "lab/toolchain/pulumi/go.sum", "Pulumi.yaml"),
        "examples/ci/gitlab/.gitlab-ci.yml",
    ],
)
def test_what_judges_and_what_runs_has_owners_of_its_own(file: str) -> None:
    assert (ROOT / file).exists()
    assert owner_of(file) == ["@vds-platform/security"]
    assert owner_of("docs/index.md") == ["@vds-platform/maintainers"]


def test_every_owned_path_exists() -> None:
    for pattern in owners():
        assert pattern == "*" or (ROOT / pattern.strip("/")).exists(), pattern
