"""x-prediction flow: every token moves from the noise embedding towards its predicted clean embedding
(Eq. 3-10; the equations stand beside their lines in flow_steps.py).

Deviation: open points of the paper are settings (FlowSettings). At t = 1 the update is masked, as Eq. 6
with dt = 0 says and the cancelled form does not. The two forms differ just below 1, where x still moves by
a: so t, a and c are float32 whatever the model's dtype is, and t reaches 1 exactly when 1 - t drops below
half an ulp. The readout "held" is the prediction that last moved a token: one that no longer moves keeps
what its embedding says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.decoders.flow_replay import states
from xpflow.decoding.decoders.flow_steps import FlowState, Reading, commit, move, reedit
from xpflow.decoding.entry import Decoder, DecodeSettings, Event, Switch
from xpflow.decoding.policies.asked import Rho, ask, chosen_policy
from xpflow.decoding.stepper import Logits, Setup, StepInfo, StepRecord
from xpflow.decoding.tokens import confidence_of, most_confident, require_tokens, suppress, suppressed_ids
from xpflow.noise import OneMask


class FlowSettings(DecodeSettings):
    """Settings of `flow`; a number in brackets is that of an open point of the paper."""

    suppress: Literal["none", "mask", "special"] = Field(
        default="mask", description="(9) ids never predicted"
    )
    policy: str = Field(
        default="confidence:8", description="Step-size policy when none is passed: a spec or a file"
    )
    expectation: Literal["A", "B"] = Field(
        default="A", description="Learned policy without sampling: A is E[a], B is a(E[y])"
    )
    commit: bool = Field(default=True, description="Hard commitment; off is the paper's ablation")
    commits_per_step: int = Field(default=1, ge=1, description="(7) tokens committed per step")
    commit_below: float = Field(
        default=0.99, ge=0.0, le=1.0, description="Only tokens with t below it are committed"
    )
    reedit: bool = Field(default=True, description="Re-editing, Eq. 10; off is the paper's ablation")
    reedit_margin: float = Field(default=0.1, ge=0.0, description="Re-edit when c - t < -margin")
    update_order: Literal["flow_first", "reedit_first"] = Field(
        default="flow_first", description="(1) flow, re-edit, commit; or re-edit, flow, commit"
    )
    reedit_t: Literal["after", "before"] = Field(
        default="after", description="(2) t in the re-edit test: after the flow update, or before it"
    )
    reedit_committed: bool = Field(default=True, description="(3) a hard-committed token can be re-edited")
    at_one: Literal["hold", "move"] = Field(
        default="hold", description="(4) a token with t = 1 keeps its embedding, or x still moves by a"
    )
    near_one: Literal["flow", "snap"] = Field(
        default="flow", description="(5) tokens with commit_below <= t < 1 keep flowing, or are set to t = 1"
    )
    readout: Literal["held", "last_prediction", "nearest", "extra_forward"] = Field(
        default="held",
        description="(6) held: last x_pred that moved the token; last_prediction: argmax of the last forward "
        "everywhere; nearest: nearest embedding; extra_forward: argmax of one more forward, counted",
    )
    prediction: Literal["hard", "soft", "top"] = Field(
        default="hard",
        description="(8) x_pred: embedding of the argmax, expectation, or over the soft_top best",
    )
    soft_top: int = Field(default=4, ge=1, description="Tokens in x_pred when prediction is top")
    rho: Rho = Field(default="block", description="(10) rho = l/(T-1) restarts per block or not")
    stop_at_fixed_point: bool = Field(
        default=True,
        description="Drop a row when a step changed nothing and none can (exact; lowers the NFE)",
    )


class Flow:
    """The stepper of `flow`."""

    continuous = True

    def __init__(self, setup: Setup) -> None:
        assert isinstance(setup.settings, FlowSettings)
        self.settings, self.noise, self.recorder = setup.settings, setup.facts.noise, setup.recorder
        chosen = setup.settings
        self.policy = chosen_policy(setup, chosen.policy, "step", chosen.expectation)
        table_VE = setup.model.get_input_embeddings().weight.detach()
        self.table_VE = table_VE.to(torch.promote_types(table_VE.dtype, torch.float32))
        self.hidden_ids = suppressed_ids(setup.settings, setup.facts)
        if chosen.prediction == "top":
            require_tokens("soft_top", chosen.soft_top, setup.facts.vocabulary)
        self.reads_again = setup.settings.readout == "extra_forward"

    def begin(self, block: Block, canvas: Canvas) -> FlowState:
        """Return the state at the start of a block: x = m and t = 0 where open, clean tokens elsewhere."""
        closed_BM = ~block.open_BM
        x_BME = canvas.embedded(lambda ids: self.table_VE[ids], block.positions_BM)
        no_B = torch.zeros(len(x_BME), dtype=torch.bool, device=x_BME.device)
        m_BPE = x_BME
        if isinstance(self.noise, OneMask):
            m_BPE = self.table_VE[self.noise.id].expand(len(x_BME), 1, -1)
        return FlowState(
            x_BME=x_BME,
            t_BM=closed_BM.to(torch.float32),
            held_BM=canvas.tokens_at(block.positions_BM),
            committed_BM=closed_BM,
            m_BPE=m_BPE,
            quiet_B=no_B,
            read_B=no_B,
        )

    def inputs(self, state: FlowState) -> Tensor:
        """Return the embeddings that the model sees."""
        return state.x_BME

    def tokens(self, state: FlowState) -> Tensor:
        """Return the token ids of the block by the readout that the settings name."""
        if self.settings.readout != "nearest":
            return state.held_BM
        closeness_BMV = -torch.cdist(state.x_BME, self.table_VE.expand(len(state.x_BME), -1, -1))
        return suppress(closeness_BMV, self.hidden_ids).argmax(-1)

    def wanted(self, state: FlowState, block: Block) -> Tensor | None:
        """Return None: re-editing needs the confidence of every token of the block."""
        return None

    def cap(self, block: Block) -> Tensor:
        """Return the steps T of the block, and one more for the extra forward of the readout."""
        return block.steps_B + int(self.reads_again)

    def finished(self, state: FlowState, block: Block) -> Tensor:
        """Return the rows at a fixed point: every t is 1 and the last step changed nothing."""
        if self.reads_again:
            return state.read_B
        return state.quiet_B if self.settings.stop_at_fixed_point else torch.zeros_like(state.quiet_B)

    def step(self, state: FlowState, logits: Logits, info: StepInfo) -> tuple[FlowState, StepRecord | None]:
        """Do one step: read, move, re-edit, commit (or re-edit, move, commit)."""
        reading, last_B = self.read(logits.values_BKV), self._only_reads(state, info)
        open_BM = info.block.open_BM & ~last_B[:, None]
        free_BM = open_BM if self.settings.at_one == "move" else open_BM & (state.t_BM < 1.0)
        a_BM = self._step_sizes(state, reading, logits.values_BKV, info, free_BM)
        if self.settings.update_order == "flow_first":
            new = move(state, reading, a_BM, free_BM)
            tested = new.t_BM if self.settings.reedit_t == "after" else state.t_BM
            edit_BM = self._edits(state, tested, reading, open_BM)
            new = reedit(new, reading, edit_BM)
        else:
            edit_BM = self._edits(state, state.t_BM, reading, open_BM)
            free_BM = free_BM | edit_BM
            new = move(reedit(state, reading, edit_BM), reading, a_BM, free_BM)
        commit_BM = self._commits(new, reading, open_BM, info)
        new, more = self.revise(state, commit(new, reading, commit_BM), reading, logits, info)
        changed_BM = torch.stack((edit_BM, *more.values())).any(0)
        new = self._settle(state, new, reading, changed_BM, open_BM)
        read_BM = self._read_out(info.block, last_B)
        new = replace(new, held_BM=torch.where(read_BM, reading.ids_BM, new.held_BM), read_B=last_B)
        if not info.observed:
            return new, None
        events = {"move": free_BM, "commit": commit_BM, "reedit": edit_BM, "read": read_BM, **more}
        record = StepRecord(info, new.held_BM, new.t_BM, reading.c_BM, reading.ids_BM, events, {"a": a_BM})
        return new, record

    def read(self, logits_BMV: Tensor) -> Reading:
        """Return x_pred (Eq. 4), its token and its confidence (Eq. 9)."""
        logits_BMV = suppress(logits_BMV, self.hidden_ids)
        ids_BM = logits_BMV.argmax(-1)
        c_BM = confidence_of(logits_BMV, ids_BM, self.settings).to(torch.float32)
        if self.settings.prediction == "hard":
            return Reading(self.table_VE[ids_BM], ids_BM, c_BM)
        weights = logits_BMV.to(self.table_VE.dtype).softmax(-1)
        if self.settings.prediction == "soft":
            return Reading(weights @ self.table_VE, ids_BM, c_BM)
        best, which = weights.topk(self.settings.soft_top, dim=-1)
        best = best / best.sum(-1, keepdim=True)
        return Reading((best[..., None] * self.table_VE[which]).sum(-2), ids_BM, c_BM)

    def _only_reads(self, state: FlowState, info: StepInfo) -> Tensor:
        """Return the rows for which this step is the extra forward of the readout: nothing moves any more."""
        if not self.reads_again:
            return torch.zeros_like(state.read_B)
        over_B = info.step >= info.block.steps_B
        return over_B | state.quiet_B if self.settings.stop_at_fixed_point else over_B

    def _read_out(self, block: Block, last_B: Tensor) -> Tensor:
        """Return where the readout takes this forward's token whatever moved."""
        if self.settings.readout == "last_prediction":
            return block.open_BM
        return block.open_BM & last_B[:, None]

    def _step_sizes(
        self, state: FlowState, reading: Reading, logits_BMV: Tensor, info: StepInfo, free_BM: Tensor
    ) -> Tensor:
        """Ask the policy; a is 0 where nothing can move."""
        about = (reading.c_BM, state.t_BM, free_BM)
        action = ask(self.policy, self.recorder, logits_BMV, about, info, self.settings.rho)
        return action.a_BM.to(state.t_BM.dtype) * free_BM

    def _edits(self, state: FlowState, t_BM: Tensor, reading: Reading, open_BM: Tensor) -> Tensor:
        """Return where c - t < -margin (Eq. 10)."""
        if not self.settings.reedit:
            return torch.zeros_like(open_BM)
        able_BM = open_BM if self.settings.reedit_committed else open_BM & ~state.committed_BM
        return able_BM & (reading.c_BM - t_BM < -self.settings.reedit_margin)

    def _commits(self, state: FlowState, reading: Reading, open_BM: Tensor, info: StepInfo) -> Tensor:
        """Return the tokens that the commit rule takes among those with t below the commit bound."""
        if not self.settings.commit:
            return torch.zeros_like(open_BM)
        waiting_BM = open_BM & (state.t_BM < self.settings.commit_below)
        return self.commits(state, reading.c_BM.masked_fill(~waiting_BM, -torch.inf), info)

    def commits(self, state: FlowState, c_BM: Tensor, info: StepInfo) -> Tensor:
        """Return the most confident tokens; -inf where one does not wait for its commitment."""
        return most_confident(c_BM, self.settings.commits_per_step, self.settings.tie_break, info.block)

    def revise(
        self, old: FlowState, new: FlowState, reading: Reading, logits: Logits, info: StepInfo
    ) -> tuple[FlowState, dict[str, Tensor]]:
        """Return the state after further revisions, none in flow, and where each of their events happened."""
        return new, {}

    def _settle(
        self, old: FlowState, new: FlowState, reading: Reading, changed_BM: Tensor, open_BM: Tensor
    ) -> FlowState:
        """Snap tokens near 1, and note rows that this step left as they were."""
        if self.settings.near_one == "snap":
            near_BM = open_BM & (new.t_BM >= self.settings.commit_below) & (new.t_BM < 1.0)
            x_BME = torch.where(near_BM[..., None], self.table_VE[new.held_BM], new.x_BME)
            new = replace(new, x_BME=x_BME, t_BM=new.t_BM.masked_fill(near_BM, 1.0))
        still_BM = (old.t_BM == 1.0) & ~changed_BM
        if self.settings.at_one == "move":
            still_BM = still_BM & ((reading.ids_BM == old.held_BM) | ~open_BM)
            if self.settings.prediction != "hard":
                still_BM = torch.zeros_like(still_BM)
        return replace(new, quiet_B=still_BM.all(-1))


DECODER = Decoder(
    settings=FlowSettings,
    make=Flow,
    about="x-prediction flow with a step-size policy",
    title="flow",
    source="the x-prediction flow paper, Eq. 3-10",
    takes_policy=True,
    switches=(
        Switch("commit", "no commit", "hard_commitment", "without hard commitment"),
        Switch("reedit", "no re-edit", "re_editing", "without re-editing"),
    ),
    examples=(
        {},
        {"policy": "confidence:2"},
        {"policy": "constant:0.7", "update_order": "reedit_first"},
        {"policy": "constant:0.7", "reedit_t": "before", "near_one": "snap"},
        {"policy": "confidence:1", "at_one": "move", "near_one": "snap"},
        {"policy": "confidence:1", "at_one": "move", "readout": "last_prediction"},
        {"policy": "constant:0.4", "readout": "extra_forward"},
    ),
    events=(  # all write the same prediction, so their order only says which mark is drawn on top
        Event("move", "write"),
        Event("commit", "write", "hard commit", "o", "fixed"),
        Event("reedit", "write", "re-edit", "x", "re-edited", revises=True),
        Event("read", "write"),
    ),
    replay=states,
    only_with={
        "soft_top": ("prediction: top", lambda settings: settings.prediction == "top"),
        "commits_per_step": ("commit: true", lambda settings: settings.commit),
        **dict.fromkeys(
            ("reedit_margin", "reedit_t", "reedit_committed", "update_order"),
            ("reedit: true", lambda settings: settings.reedit),
        ),
    },
)
