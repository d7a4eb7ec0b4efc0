# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in one view as plain torch writes it, for automatic differentiation: the rivals' forward pass.

    x = template + basis . (identity, expression)
    G_j = G_parent T(h_j) R_j T(-h_j),  p = sum_j skin_j G_j x,  q = exp(w) R0 p + t

Written a second time from the formulas, not called from the solver, so that one can check the other; of the solver's
head it takes the numbers alone (template, basis, skin weights, joints).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from server.fit.head import FitHead
from server.fit.variables import FitVariables, View


@dataclass(frozen=True, eq=False)
class Leaves:
    """What is optimised. All are changes from a start but joints, identity and expression."""

    log_focal: Tensor
    """[] the focal length is its start times exp of this; depth goes with it."""
    turn: Tensor
    """[3] radians, a left increment on the start's rotation."""
    shift: Tensor
    """[3] metres, on the start's translation."""
    joints: Tensor
    """[J', 3] axis-angle of the joints that may turn."""
    identity: Tensor
    """[S]"""
    expression: Tensor
    """[E]"""

    def all(self) -> list[Tensor]:
        """In the order of their names."""
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True, eq=False)
class PlainHead:
    """The numbers of a head with N points and J joints, and the view it starts from."""

    head: FitHead
    start: View

    @property
    def like(self) -> Tensor:
        """A tensor of the right device and dtype."""
        assert self.head.surface is not None, "dense objectives need a surface"
        return self.head.surface.points.template

    def leaves(self, variables: FitVariables) -> Leaves:
        """Make the leaves whose value is the start."""
        view = variables.views[0]
        free = list(self.head.columns.joints)
        values = [0.0, [0.0] * 3, [0.0] * 3, view.joint_rotation[free]]
        values += [variables.identity, view.expression]
        return Leaves(*(torch.tensor(v).to(self.like).requires_grad_() for v in values))

    def shaped(self, leaves: Leaves) -> Tensor:
        """[N, 3] before the joints turn."""
        assert self.head.surface is not None, "dense objectives need a surface"
        points = self.head.surface.points
        components = torch.cat([leaves.identity, leaves.expression])
        return points.template + (points.basis.flatten(0, 1) @ components).view(-1, 3)

    def posed(self, leaves: Leaves) -> Tensor:
        """[N, 3] in the head frame."""
        assert self.head.surface is not None, "dense objectives need a surface"
        skeleton, skin = self.head.skeleton, self.head.surface.points.skin
        joints, moves, still = self._constants
        places = joints + (leaves.identity @ moves).view(-1, 3)
        free = {joint: i for i, joint in enumerate(self.head.columns.joints)}
        turned = rotations(leaves.joints)
        transforms: list[Tensor] = []
        for joint, parent in enumerate(skeleton.parents):
            turn = turned[free[joint]] if joint in free else still
            shift = places[joint] - turn @ places[joint]
            if parent >= 0:
                above = transforms[parent]
                turn, shift = above[:, :3] @ turn, above[:, :3] @ shift + above[:, 3]
            transforms.append(torch.cat([turn, shift[:, None]], 1))
        blended = (skin @ torch.stack(transforms).flatten(1)).view(-1, 3, 4)
        shaped = self.shaped(leaves)
        return (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]

    @cached_property
    def _constants(self) -> tuple[Tensor, Tensor, Tensor]:
        """Joints [J, 3], their moves with identity [S, 3 J], no rotation [3, 3]."""
        skeleton = self.head.skeleton
        moves = skeleton.identity.reshape(len(skeleton.identity), -1)
        constants = (skeleton.joints, moves, np.eye(3))
        joints, moves, still = (torch.tensor(part).to(self.like) for part in constants)
        return joints, moves, still

    def rotation(self, leaves: Leaves) -> Tensor:
        """[3, 3] head to camera."""
        return rotations(leaves.turn[None])[0] @ torch.tensor(self.start.rotation).to(self.like)

    def transl(self, leaves: Leaves) -> Tensor:
        """[3] metres."""
        moved = torch.tensor(self.start.transl).to(self.like) + leaves.shift
        return torch.stack([moved[0], moved[1], moved[2] * leaves.log_focal.exp()])

    def focal(self, leaves: Leaves) -> Tensor:
        """[] px."""
        return self.start.focal_px * leaves.log_focal.exp()

    def clamp(self, leaves: Leaves) -> None:
        """Bring what has bounds back within them."""
        bounds = self.head.bounds
        joints = bounds.joints[list(self.head.columns.joints)]
        limits = (
            (leaves.joints, joints),
            (leaves.identity, bounds.identity),
            (leaves.expression, bounds.expression),
        )
        with torch.no_grad():
            for leaf, (low, high) in ((leaf, (b[..., 0], b[..., 1])) for leaf, b in limits):
                leaf.clamp_(torch.tensor(low).to(leaf), torch.tensor(high).to(leaf))

    def variables(self, leaves: Leaves) -> FitVariables:
        """What the leaves say, as the solver would say it."""
        joints = self.start.joint_rotation.copy()
        joints[list(self.head.columns.joints)] = _numbers(leaves.joints)
        view = View(
            rotation=_numbers(self.rotation(leaves)),
            transl=_numbers(self.transl(leaves)),
            focal_px=self.focal(leaves).item(),
            expression=_numbers(leaves.expression),
            center_px=self.start.center_px,
            joint_rotation=joints,
        )
        return FitVariables(_numbers(leaves.identity), (view,))


def rotations(vectors: Tensor) -> Tensor:
    """Axis-angle vectors [N, 3] -> rotation matrices [N, 3, 3] (Rodrigues); differentiable at 0."""
    angle = (vectors.square().sum(1) + 1e-24).sqrt()[:, None, None]
    zero = torch.zeros_like(vectors[:, 0])
    x, y, z = vectors.unbind(1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    first = torch.sinc(angle / torch.pi)
    second = 0.5 * torch.sinc(0.5 * angle / torch.pi) ** 2
    return torch.eye(3).to(vectors) + first * cross + second * (cross @ cross)


def _numbers(tensor: Tensor):
    return tensor.detach().cpu().double().numpy()
