"""Shared fixtures: one simulated study and its notes, made once per test process."""

import pytest


@pytest.fixture(scope="session")
def bip_study():
    """The simulated BIP study of the preset's size."""
    from jobchance import simulate_study

    return simulate_study(seed=2013)


@pytest.fixture(scope="session")
def bip_panel(bip_study):
    """Its panel."""
    from jobchance import build_panel

    return build_panel(bip_study)


@pytest.fixture(scope="session")
def note_folders(bip_study, tmp_path_factory):
    """Folders of the status note of the simulated study, by language."""
    from jobchance import status_note

    root = tmp_path_factory.mktemp("notes")
    return {lang: status_note(bip_study, root / lang, lang=lang).folder for lang in ("da", "en")}
