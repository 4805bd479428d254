from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from smsgw.compliance.workdays import Calendar, load_calendar, read_calendar
from smsgw.config import ConfigError


def test_weekends_do_not_count():
    """Fifteen working days from a Wednesday are three weeks; from a Saturday the first is Monday."""
    assert Calendar().after(date(2026, 11, 25), 15) == date(2026, 12, 16)
    assert Calendar().after(date(2026, 11, 28), 1) == date(2026, 11, 30)
    assert Calendar().after(date(2026, 11, 27), 1) == date(2026, 11, 30)


def test_holidays_do_not_count_and_days_worked_instead_do():
    """The week of October is skipped; the Saturday that is worked for it counts."""
    calendar = read_calendar("2026-10-01 # 国庆\n2026-10-02\n2026-10-05\n2026-10-06\n2026-10-07\n\n+2026-10-10\n", "days")
    assert calendar.after(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert calendar.after(date(2026, 9, 30), 3) == date(2026, 10, 10)


def test_a_bad_line_is_named(tmp_path: Path):
    """File and line of each; a file that is not there names its setting."""
    with pytest.raises(ConfigError, match=r"days:2: 'soon' is no day") as caught:
        read_calendar("2026-10-01\nsoon\n+2026-13-01\n", "days")
    assert len(caught.value.errors) == 2
    with pytest.raises(ConfigError, match=r"compliance\.holidays: .*none cannot be read"):
        load_calendar(str(tmp_path / "none"))
    (tmp_path / "days").write_text("2026-10-01\n", encoding="utf-8")
    assert not load_calendar(str(tmp_path / "days")).works(date(2026, 10, 1))
    assert load_calendar("") == Calendar()
