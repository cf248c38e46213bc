"""Topics of prompts: TF-IDF and non-negative matrix factorisation by scikit-learn; offline and deterministic.

A topic is a group of prompts that share rare words, named by its most important words. Prompts in different languages
share few words, so they mostly form separate topics.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..config import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

MOST_TOPICS = 12
#: Average number of prompts per topic; fewer prompts make fewer topics.
PROMPTS_PER_TOPIC = 12
TERMS = 3
OTHER = "No topic"
OTHER_TERMS = "(no topic)"
#: Number of characters read per prompt.
_READ = 4_000
# A word has at least three letters; in a script without spaces, any two adjacent characters form a word.
_WORD = re.compile(r"[^\W\d_]{3,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
#: A word in more than this share of the prompts of its language is ignored.
_TOO_COMMON = 0.4
_MOST_WORDS = 4_000
_COLUMNS = [
    "Topic", "Terms", "Prompts", "Share", "Users", "Example", "PromptTokens", "UnknownRequests", "FirstSeen",
    "LastSeen", "CorrelationId", "SharedTerms",
]  # fmt: skip


def topics(prompts: pd.DataFrame, shared_by: int | None = None) -> pd.DataFrame:
    """Rows of ``TimeGenerated, User, PromptTokens, CorrelationId, Prompt`` grouped by topic, largest first.

    Example is the most typical prompt of its topic, CorrelationId its request. Prompts that share no word with others
    are in ``OTHER``, last. PromptTokens sums the known values; UnknownRequests counts the rest. SharedTerms are
    terms that prompts of at least *shared_by* users have (default: the setting ``terms_shared_by``), to be shown where
    no text may be.
    """
    import pandas as pd

    least = settings().terms_shared_by if shared_by is None else shared_by
    ordered = prompts.sort_values("CorrelationId", ignore_index=True)
    number, weight, terms, shared = _clustered(list(ordered["Prompt"]), list(ordered["User"]), least)
    grouped = ordered.assign(number=number, weight=weight)
    rows = []
    for cluster in sorted(terms.keys() & set(number)):
        rest = grouped[grouped["number"] == cluster]
        best = rest.sort_values(["weight", "CorrelationId"], ascending=[False, True]).iloc[0]
        rows.append(
            {
                "Terms": terms[cluster],
                "SharedTerms": shared.get(cluster) or f"(no word of {least} users)",
                "Prompts": len(rest),
                "Share": round(100.0 * len(rest) / len(grouped), 1),
                "Users": rest["User"].nunique(),
                "PromptTokens": rest["PromptTokens"].sum(min_count=1),
                "UnknownRequests": int(rest["PromptTokens"].isna().sum()),
                "FirstSeen": rest["TimeGenerated"].min(),
                "LastSeen": rest["TimeGenerated"].max(),
                "Example": best["Prompt"],
                "CorrelationId": best["CorrelationId"],
                "is_other": cluster == -1,
            }
        )
    rows.sort(key=lambda row: (row["is_other"], -row["Prompts"], row["Terms"]))
    for place, row in enumerate(rows, 1):
        row["Topic"] = OTHER if row["is_other"] else f"Topic {place}"
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    whole = ("Prompts", "Users", "PromptTokens", "UnknownRequests")
    moments = ("FirstSeen", "LastSeen")
    return frame.astype(
        {name: "Int64" for name in whole} | {name: "datetime64[us, UTC]" for name in moments} | {"Share": "float64"}
    )


def _clustered(
    texts: list[str], users: list[str], least: int
) -> tuple[list[int], list[float], dict[int, str], dict[int, str]]:
    """The cluster of each text (-1: none), its weight in it, the clusters' terms, and those of *least* users."""
    import numpy as np
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfTransformer
    from threadpoolctl import threadpool_limits

    words = [list(_words(text)) for text in texts]
    kept, counts = _counted(words, [_script(text) for text in texts])
    clusters = min(MOST_TOPICS, len(texts) // PROMPTS_PER_TOPIC, len(kept) - 1)
    if clusters < 2:
        return [-1] * len(texts), [0.0] * len(texts), {-1: OTHER_TERMS}, {-1: OTHER_TERMS}
    # One thread: the order of additions, and so the last digits, are the same on every machine and in every run.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Topics that have not fully converged are as readable as converged ones.
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
        model = NMF(n_components=clusters, init="nndsvd", random_state=0, max_iter=400, tol=1e-3)
        strength = model.fit_transform(weighed)
    number = np.where(strength.max(axis=1) > 0, strength.argmax(axis=1), -1)
    users_of: dict[str, set[str]] = {}
    for own, user in zip(words, users, strict=True):
        for word in set(own):
            users_of.setdefault(word, set()).add(user)
    names, shared = {-1: OTHER_TERMS}, {-1: OTHER_TERMS}
    for cluster, weights in enumerate(model.components_):
        ranked = sorted(range(len(kept)), key=lambda word: (-round(weights[word], 6), kept[word]))
        names[cluster] = ", ".join(kept[word] for word in ranked[:TERMS])
        common = [word for word in ranked if round(weights[word], 6) > 0 and len(users_of[kept[word]]) >= least]
        shared[cluster] = ", ".join(kept[word] for word in common[:TERMS])
    return [int(n) for n in number], [float(s) for s in strength.max(axis=1)], names, shared


def _counted(words: list[list[str]], scripts: list[str]) -> tuple[list[str], Any]:
    """The words that distinguish prompts, and a sparse matrix of each word's frequency in each prompt."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    prompts_of = Counter(scripts)
    by_script: dict[str, Counter[str]] = {script: Counter() for script in prompts_of}
    everywhere: Counter[str] = Counter()
    for own, script in zip(words, scripts, strict=True):
        by_script[script].update(set(own))
        everywhere.update(set(own))
    common = {
        word
        for script, seen in by_script.items()
        for word, count in seen.items()
        if count > max(_TOO_COMMON * prompts_of[script], 2)
    }
    telling = [word for word, count in everywhere.items() if count > 1 and word not in common | ENGLISH_STOP_WORDS]
    kept = sorted(sorted(telling, key=lambda word: (-everywhere[word], word))[:_MOST_WORDS])
    place = {word: number for number, word in enumerate(kept)}
    data, rows, columns = [], [], []
    for row, own in enumerate(words):
        for word, count in Counter(own).items():
            if word in place:
                data.append(float(count))
                rows.append(row)
                columns.append(place[word])
    return kept, csr_matrix((data, (rows, columns)), shape=(len(words), max(len(kept), 1)))


def _words(text: str) -> Iterator[str]:
    text = text[:_READ].lower()
    for match in _WORD.finditer(_UNSPACED.sub(" ", text)):
        yield match[0]
    for match in _UNSPACED.finditer(text):
        run = match[0]
        yield from (run[at : at + 2] for at in range(len(run) - 1))


def _script(text: str) -> str:
    """The approximate language of a text: a word common in one may be rare in another."""
    from .languages import language

    return language(text)
