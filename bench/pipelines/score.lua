-- SPDX-License-Identifier: Apache-2.0
-- How many deviations the amount is away from the mean of those before it; events of the warm-up have no score.
local WARMUP, MOST = 30, 1e6

function process(event, state)
  local amount = event.amount
  local n, mean, squares = state.n or 0, state.mean or 0.0, state.squares or 0.0
  local delta = amount - mean
  if n >= WARMUP then
    local deviation = math.sqrt(squares / (n - 1))
    if math.abs(delta) <= 1e-12 * math.abs(mean) then
      event.score = 0.0
    else
      event.score = deviation == 0 and MOST or math.min(MOST, math.abs(delta) / deviation)
    end
  end
  n = n + 1
  mean = mean + delta / n
  squares = squares + delta * (amount - mean)
  state.n, state.mean, state.squares = n, mean, squares
  emit(event)
end
