"""Which answers count as right when forms are scored."""

from __future__ import annotations

from research.mini.form_scores import is_right


def test_right_answers() -> None:
    assert is_right("both feet", "Both feet, with bent knees", ("left foot", "both feet"))
    assert is_right("3", "3, two with the left", ())
    assert is_right("about 2.5 seconds", "about 2.7 seconds, from 1.0 to 3.7 s", ())
    assert is_right("3 to 104 degrees", "4 to 100 degrees, most at 3.1 s", ())
    assert is_right("cannot tell", "cannot tell, joints show no objects", ())


def test_wrong_answers() -> None:
    assert not is_right("3", "4", ())
    assert not is_right("both feet", "left foot", ("left foot", "both feet"))
    assert not is_right("about 2.5 seconds", "about 3 seconds", ())
    assert not is_right("about 17 centimetres", "jumps", ())
    assert not is_right("97 degrees", "from 27 to 124", ())
