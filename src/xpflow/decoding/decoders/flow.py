"""x-prediction flow: every token moves from the mask embedding towards its predicted clean embedding (Eq.
3-10).

Legend: m mask embedding, x_i state, t_i progress, c_i confidence, a_i step size, e(v) embedding of token v.
    x_pred = e(argmax z)                                   # Eq. 4, hard
    x <- x + a (x_pred - x),  1 - t <- (1 - a)(1 - t)      # Eq. 5-8, the 1/(1 - t) cancelled: nothing is
    singular c = max softmax(z)                                     # Eq. 9
    c - t < -0.1:  x <- c x_pred + (1 - c) m,  t <- c      # Eq. 10, re-editing
    argmax of c among t < 0.99:  x <- x_pred,  t <- 1      # hard commitment
Invariant: x = sum_v A_v e(v) + (1 - t) m with A >= 0 and sum_v A_v = t.

Deviation: open points of the paper are settings (FlowSettings). At t = 1 the update is masked, as Eq. 6 with
dt = 0 says and the cancelled form does not. The two forms differ just below 1, where x still moves by a: so
t, a and c are float32 whatever the model's dtype is, and t reaches 1 exactly when 1 - t drops below half an
ulp. The readout "held" is the prediction that last moved a token: one that no longer moves keeps what its
embedding says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xpflow.decoding.blocks import Block, Schedule
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.confidence import confidence_of, most_confident, suppress, suppressed_ids
from xpflow.decoding.policies.base import Action, Policy, PolicyInfo, as_action, load_policy
from xpflow.decoding.policies.features import policy_features
from xpflow.decoding.registry import DecoderEntry, register
from xpflow.decoding.settings import FlowSettings
from xpflow.decoding.stepper import Logits, State, StepInfo, StepRecord
from xpflow.errors import DecodingError


@dataclass(frozen=True)
class FlowState(State):
    """x_BME embeddings, t_BM progress, held_BM the token x last moved to, committed_BM hard-committed,
    quiet_B: the last step changed nothing."""

    x_BME: Tensor
    t_BM: Tensor
    held_BM: Tensor
    committed_BM: Tensor
    quiet_B: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """What one forward says: x_pred, its token, its confidence."""

    x_BME: Tensor
    ids_BM: Tensor
    c_BM: Tensor


@dataclass(frozen=True, slots=True)
class RecorderStep:
    """One policy decision of a rollout: features F, action, and which tokens it moved (active_BM)."""

    info: PolicyInfo
    offset_BM: Tensor
    features_BM8: Tensor | None
    action: Action


Recorder = Callable[[RecorderStep], None]


class Flow:
    """The stepper of `flow`."""

    continuous = True

    def __init__(
        self,
        table_VE: Tensor,
        settings: FlowSettings,
        facts: ModelFacts,
        policy: Policy,
        recorder: Recorder | None,
    ) -> None:
        self.settings, self.facts, self.policy, self.recorder = settings, facts, policy, recorder
        self.table_VE = table_VE.to(torch.promote_types(table_VE.dtype, torch.float32))
        self.m_E = self.table_VE[facts.mask_id]
        self.hidden_ids = suppressed_ids(settings, facts)
        self.extra_forward = settings.readout == "extra_forward"

    def begin(self, block: Block, tokens_BM: Tensor) -> FlowState:
        """Return the state at the start of a block: x = m and t = 0 where open, clean tokens elsewhere."""
        closed_BM = ~block.open_BM
        return FlowState(
            x_BME=self.table_VE[tokens_BM],
            t_BM=closed_BM.to(torch.float32),
            held_BM=tokens_BM,
            committed_BM=closed_BM,
            quiet_B=torch.zeros(len(tokens_BM), dtype=torch.bool, device=tokens_BM.device),
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
        """Return the steps T of the block."""
        return block.steps_B

    def finished(self, state: FlowState, block: Block) -> Tensor:
        """Return the rows at a fixed point: every t is 1 and the last step changed nothing."""
        if not self.settings.stop_at_fixed_point:
            return torch.zeros_like(state.quiet_B)
        return state.quiet_B

    def step(self, state: FlowState, logits: Logits, info: StepInfo) -> tuple[FlowState, StepRecord | None]:
        """Do one step: read, move, re-edit, commit (or re-edit, move, commit)."""
        settings, open_BM = self.settings, info.block.open_BM
        reading = self.read(logits.values_BKV)
        free_BM = open_BM if settings.at_one == "move" else open_BM & (state.t_BM < 1.0)
        a_BM = self._step_sizes(state, reading, logits.values_BKV, info, free_BM)
        if settings.update_order == "flow_first":
            moved = move(state, reading, a_BM, free_BM)
            tested = moved.t_BM if settings.reedit_t == "after" else state.t_BM
            edit_BM = self._edits(state, tested, reading, open_BM)
            new = reedit(moved, reading, edit_BM, self.m_E)
        else:
            edit_BM = self._edits(state, state.t_BM, reading, open_BM)
            new = move(reedit(state, reading, edit_BM, self.m_E), reading, a_BM, free_BM | edit_BM)
        commit_BM = self._commits(new, reading, info.block)
        new = commit(new, reading, commit_BM)
        new = self._settle(state, new, reading, edit_BM, open_BM)
        record = None
        if info.observed:
            record = StepRecord(
                info, new.t_BM, a_BM, reading.c_BM, reading.ids_BM, new.held_BM, edit_BM, commit_BM
            )
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

    def read_last(self, state: FlowState, logits: Logits, block: Block) -> FlowState:
        """Return the state with the argmax of an extra forward as the token everywhere."""
        ids_BM = self.read(logits.values_BKV).ids_BM
        return replace(state, held_BM=torch.where(block.open_BM, ids_BM, state.held_BM))

    def _step_sizes(
        self, state: FlowState, reading: Reading, logits_BMV: Tensor, info: StepInfo, free_BM: Tensor
    ) -> Tensor:
        """Ask the policy; a is 0 where nothing can move."""
        rho_B = self._rho(info)
        about = PolicyInfo(
            reading.c_BM, state.t_BM, rho_B, free_BM, info.rows_B, info.step, info.block.number
        )
        features = None
        if self.policy.needs_features:
            features = policy_features(logits_BMV, state.t_BM, rho_B)
        action = as_action(self.policy(features, about))
        if self.recorder is not None:
            self.recorder(RecorderStep(about, info.block.offset_BM, features, action))
        return action.a_BM.to(state.t_BM.dtype) * free_BM

    def _rho(self, info: StepInfo) -> Tensor:
        """Return rho = l / (T - 1) of the block, or of all blocks."""
        step_B, total_B = info.steps_before_B + info.step, info.steps_total_B
        if self.settings.rho == "block":
            step_B, total_B = torch.full_like(step_B, info.step), info.block.steps_B
        rho_B: Tensor = (step_B / (total_B - 1).clamp(min=1)).to(torch.float32)
        return rho_B

    def _edits(self, state: FlowState, t_BM: Tensor, reading: Reading, open_BM: Tensor) -> Tensor:
        """Return where c - t < -margin (Eq. 10)."""
        if not self.settings.reedit:
            return torch.zeros_like(open_BM)
        able_BM = open_BM if self.settings.reedit_committed else open_BM & ~state.committed_BM
        return able_BM & (reading.c_BM - t_BM < -self.settings.reedit_margin)

    def _commits(self, state: FlowState, reading: Reading, block: Block) -> Tensor:
        """Return the most confident tokens among those with t below the commit bound."""
        if not self.settings.commit:
            return torch.zeros_like(block.open_BM)
        waiting_BM = block.open_BM & (state.t_BM < self.settings.commit_below)
        c_BM = reading.c_BM.masked_fill(~waiting_BM, -torch.inf)
        return most_confident(c_BM, self.settings.commits_per_step, self.settings.tie_break, block)

    def _settle(
        self, old: FlowState, new: FlowState, reading: Reading, edit_BM: Tensor, open_BM: Tensor
    ) -> FlowState:
        """Snap, choose the readout's token, and note rows that this step left as they were."""
        if self.settings.near_one == "snap":
            near_BM = open_BM & (new.t_BM >= self.settings.commit_below) & (new.t_BM < 1.0)
            x_BME = torch.where(near_BM[..., None], self.table_VE[new.held_BM], new.x_BME)
            new = replace(new, x_BME=x_BME, t_BM=new.t_BM.masked_fill(near_BM, 1.0))
        still_BM = (old.t_BM == 1.0) & ~edit_BM
        if self.settings.at_one == "move":
            still_BM = still_BM & ((reading.ids_BM == old.held_BM) | ~open_BM)
            if self.settings.prediction != "hard":
                still_BM = torch.zeros_like(still_BM)
        if self.settings.readout == "last_prediction":
            new = replace(new, held_BM=torch.where(open_BM, reading.ids_BM, new.held_BM))
        return replace(new, quiet_B=still_BM.all(-1))


def move(state: FlowState, reading: Reading, a_BM: Tensor, free_BM: Tensor) -> FlowState:
    """Move free tokens towards x_pred by a: x + a (x_pred - x), 1 - t <- (1 - a)(1 - t) (Eq. 5-8)."""
    x_BME = torch.lerp(state.x_BME, reading.x_BME, (a_BM * free_BM).to(state.x_BME.dtype)[..., None])
    t_BM = torch.where(free_BM, 1.0 - (1.0 - a_BM) * (1.0 - state.t_BM), state.t_BM)
    held_BM = torch.where(free_BM, reading.ids_BM, state.held_BM)
    return replace(state, x_BME=x_BME, t_BM=t_BM, held_BM=held_BM)


def reedit(state: FlowState, reading: Reading, edit_BM: Tensor, m_E: Tensor) -> FlowState:
    """Set x = c x_pred + (1 - c) m and t = c at the edited tokens (Eq. 10)."""
    if not bool(edit_BM.any()):
        return state
    c_BM1 = reading.c_BM.to(state.x_BME.dtype)[..., None]
    return replace(
        state,
        x_BME=torch.where(edit_BM[..., None], torch.lerp(m_E, reading.x_BME, c_BM1), state.x_BME),
        t_BM=torch.where(edit_BM, reading.c_BM, state.t_BM),
        held_BM=torch.where(edit_BM, reading.ids_BM, state.held_BM),
        committed_BM=state.committed_BM & ~edit_BM,
    )


def commit(state: FlowState, reading: Reading, commit_BM: Tensor) -> FlowState:
    """Fix tokens at their prediction: x = x_pred, t = 1."""
    return replace(
        state,
        x_BME=torch.where(commit_BM[..., None], reading.x_BME, state.x_BME),
        t_BM=state.t_BM.masked_fill(commit_BM, 1.0),
        held_BM=torch.where(commit_BM, reading.ids_BM, state.held_BM),
        committed_BM=state.committed_BM | commit_BM,
    )


def make(
    model: nn.Module,
    settings: FlowSettings,
    facts: ModelFacts,
    schedule: Schedule,
    policy: Policy | str | None = None,
    recorder: Recorder | None = None,
    **_: object,
) -> Flow:
    """Return the stepper; without a policy the one that the settings name is loaded."""
    if policy is None or isinstance(policy, str):
        policy = load_policy(policy or settings.policy, expectation=settings.expectation)
        if isinstance(policy, nn.Module):
            policy.to(facts.device)
    if not callable(policy):
        raise DecodingError(
            f"not a step-size policy: {policy!r}", hint="pass a callable, or a spec in settings.policy"
        )
    table = model.get_input_embeddings().weight.detach()  # type: ignore[operator]
    return Flow(table, settings, facts, policy, recorder)


register(
    "flow",
    DecoderEntry(FlowSettings, make, takes_policy=True, help="x-prediction flow with a step-size policy"),
)
