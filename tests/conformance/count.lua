-- SPDX-License-Identifier: Apache-2.0
function process(event, state)
  state.n = (state.n or 0) + 1
  state.last = event.amount
  if event.amount < 0 then error("a negative amount") end
  event.n = state.n
  emit(event)
end
