from tests.support.stacks import problems, stack_data

PARTY = {"name": "Etat", "contact": "post@example.no"}


def test_two_controllers_of_one_tenant_are_refused() -> None:
    data = stack_data("lab")
    data["processing"] = {"controllers": [{"tenant": "butikk", "controller": PARTY}] * 2}
    assert problems(data) == ["controller of butikk: occurs twice: write joint controllers to `jointControllers`"]


def test_a_word_that_the_regulation_does_not_have_is_refused() -> None:
    data = stack_data("lab")
    data["processing"] = {"role": "owner", "purpose": "all"}
    said = "\n".join(problems(data))
    assert "processing.role" in said
    assert "processing.purpose" in said
