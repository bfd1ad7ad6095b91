-- SPDX-License-Identifier: Apache-2.0
-- Scores each payment by how far it is from what its user usually spends, and calls out the ones far away.
-- Running mean and deviation after Welford (1962); what is called out is not learned from.
ports = {"alerts"}

local limit <const> = settings.limit or 6
local warm_up <const> = settings.warm_up or 20

function process(event, state)
  local amount = event.amount
  local n, mean, squares = state.n or 0, state.mean or 0.0, state.squares or 0.0
  local score = 0.0
  if n >= warm_up and squares > 0 then
    score = (amount - mean) / math.sqrt(squares / (n - 1))
  end
  event.usual, event.score = mean, score

  if score > limit or score < -limit then
    emit("alerts", event)
  else
    local delta = amount - mean
    mean = mean + delta / (n + 1)
    state.n, state.mean, state.squares = n + 1, mean, squares + delta * (amount - mean)
  end
  emit(event)
end
