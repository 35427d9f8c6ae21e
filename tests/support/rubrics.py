"""Rubrics for tests: as nouns, and as they stand in exercise.toml."""

from autograder.records import RubricItem

TEXT = {"en": "It is right.", "zh-TW": "正確。"}


def rubric(**shares: int) -> tuple[RubricItem, ...]:
    """Return the items with these shares: `rubric(values=60, state=40)`."""
    return tuple(RubricItem(item, share, TEXT) for item, share in shares.items())


def rubric_toml(**shares: int) -> str:
    """Return the [[task.rubric]] entries with these shares, for the task that stands above them."""
    text = ", ".join(f'"{language}" = "{words}"' for language, words in TEXT.items())
    return "".join(
        f'[[task.rubric]]\nitem = "{item}"\nshare = {share}\ntext = {{ {text} }}\n' for item, share in shares.items()
    )
