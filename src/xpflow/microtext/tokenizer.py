"""A world's tokenizer: one token for each word, and behind the words the special tokens of the models.

Ids below V are the world's own, so a model's sentence is the oracle's sentence, without a table between. A
world's end word is the models' end of text, and is no second token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.microtext import ARCHITECTURE
from xpflow.microtext.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from xpflow.models.untrained import SpecialIds


def special_words(world: World) -> tuple[str, ...]:
    """Return the special tokens that are no words of the world, in the order of their ids from V on."""
    from xpflow.models.architectures import ARCHITECTURES

    special = ARCHITECTURES[ARCHITECTURE].tokenizer.special.values()
    return tuple(word for word in special if word not in world.words)


def mask_id(world: World) -> int:
    """Return the id of the mask."""
    return special_ids(world).mask_token_id


def special_ids(world: World) -> SpecialIds:
    """Return what a model's configuration must know; every token that is no word is never an answer."""
    from xpflow.models.architectures import ARCHITECTURES
    from xpflow.models.untrained import SpecialIds

    kind = ARCHITECTURES[ARCHITECTURE].tokenizer
    number = {word: i for i, word in enumerate((*world.words, *special_words(world)))}
    ids = {key: number[word] for key, word in kind.special.items()}
    return SpecialIds(
        mask_token_id=ids["mask"],
        eos_token_id=ids["eos"],
        pad_token_id=ids["eos"],
        bos_token_id=ids["bos"],
        eot_token_id=ids[kind.end_of_turn],
        suppress_token_ids=list(range(world.size, len(number))),
    )


def tokenizer_of(world: World) -> PreTrainedTokenizerFast:
    """Return the tokenizer as transformers uses it; texts are words with spaces between."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    from xpflow.models.architectures import ARCHITECTURES
    from xpflow.models.tokenizer import as_published

    kind = ARCHITECTURES[ARCHITECTURE].tokenizer
    every = (*world.words, *special_words(world))
    number = {word: i for i, word in enumerate(every)}
    tokenizer = Tokenizer(models.WordLevel(number, unk_token=""))  # a word that is none is an error
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in kind.special.values()])
    return as_published(tokenizer, kind)
