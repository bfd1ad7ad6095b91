-- SPDX-License-Identifier: Apache-2.0
-- The rule of the benchmark: reads two fields, keeps three, adds one.
function process(event, state)
  local amount = event.amount
  local n, mean, squares = (state.n or 0) + 1, state.mean or 0.0, state.squares or 0.0
  local delta = amount - mean
  mean = mean + delta / n
  squares = squares + delta * (amount - mean)
  state.n, state.mean, state.squares = n, mean, squares
  event.score = n > 20 and delta / math.sqrt(squares / n) or 0.0
  emit(event)
end
