-- SPDX-License-Identifier: Apache-2.0
-- Lets payments through whose fields have their types.
function process(event, state)
  if type(event.id) == "string" and type(event.user) == "string" and math.type(event.ts) == "integer" and type(event.amount) == "number" then
    emit(event)
  end
end
