"""A shipped model is read whole, with what it was trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodecode.core.artifacts import Model
from neurodecode.core.errors import DataError, LeakageError
from neurodecode.core.leakage import check_scores
from neurodecode.core.lineage import EVERY_FOLD, Contact, Lineage, make_row_tokens
from neurodecode.core.store import Store
from neurodecode.core.trace import derive_lineage
from neurodecode.datasets.digits import Digits
from neurodecode.reconstruction.diffusion import Diffusion
from neurodecode.reconstruction.pretrained import Pretrained, take_fold
from tests.examples import make_reconstructions


def write_model(folder: Path) -> Path:
    seen = {
        k: (Contact("train", "label", None, {"stimulus": np.array([10 + k], np.uint64)}),)
        for k in range(2)
    }
    model = Model(
        stage="reconstruction.train_diffusion",
        arrays={f"fold{k}/weights": np.full(3, float(k)) for k in range(2)},
        n_folds=2,
        split="made elsewhere",
        lineage=Lineage(seen=seen, split="made elsewhere", unit="stimulus"),
    )
    return Path(Store(folder).write("train", "key", {"model": model}, {"stage": "train"})["path"])


def test_one_fold_comes_back_with_its_own_lineage(tmp_path: Path) -> None:
    stage = Pretrained(name=str(write_model(tmp_path)), fold=1)
    assert [p.suffix for p in stage.sources()] == [".h5"]
    model = stage.run()
    np.testing.assert_array_equal(model.for_fold(7)["weights"], np.ones(3))
    (contact,) = model.lineage.seen[EVERY_FOLD]
    assert contact.tokens["stimulus"].tolist() == [11]
    assert list(model.lineage.seen) == [EVERY_FOLD]


def test_all_folds_come_back_without_a_choice(tmp_path: Path) -> None:
    model = Pretrained(name=str(write_model(tmp_path))).run()
    assert model.n_folds == 2
    np.testing.assert_array_equal(model.for_fold(0)["weights"], np.zeros(3))
    with pytest.raises(DataError, match="fold 5"):
        take_fold(model, 5)


def test_unknown_models_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model 'nothing'"):
        Pretrained(name="nothing").sources()
    path = Store(tmp_path).write("a", "b", {"stimuli": Digits(n_items=2).run()}, {"stage": "a"})
    with pytest.raises(DataError, match="0 models"):
        Pretrained(name=path["path"]).run()


def test_a_digit_it_was_trained_on_cannot_be_scored() -> None:
    """The shipped generator's lineage reaches the scores of what it makes."""
    model = Pretrained(name="digits_generator", fold=0).run()
    tokens = model.lineage.seen[EVERY_FOLD][0].tokens["stimulus"]
    shown, trained = Digits(n_items=400), Digits(first=400)
    for digits, share in ((shown, 0.0), (trained, 0.9)):
        own = make_row_tokens(digits.run().items)["stimulus"]
        assert np.isin(own, tokens).any(axis=1).mean() == pytest.approx(share, abs=0.02)

    for digits, leaks in ((shown, False), (trained, True)):
        made = make_reconstructions()
        items = digits.run().items.take(np.arange(len(made.items)))
        items = items.with_columns(fold=np.full(len(items), EVERY_FOLD))
        made = replace(made, items=items, unit="stimulus", lineage=Lineage())
        traced = derive_lineage(
            Diffusion(), {"model": model}, {"reconstructions": made}, step="images"
        )
        if leaks:
            with pytest.raises(LeakageError, match="training of digits_generator"):
                check_scores(traced, step="scores")
        else:
            assert check_scores(traced, step="scores") == []
