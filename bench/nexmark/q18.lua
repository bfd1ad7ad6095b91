-- SPDX-License-Identifier: Apache-2.0
-- Lets an event through that is not older than the last one that it has let through of its key.
function process(event, state)
	if state.last and event.date_time < state.last then return end
	state.last = event.date_time
	emit(event)
end
